import type { Decision } from '../../api/decision.ts';
import { formatReason } from '../../core/format-reason.ts';
import type { RemovalPlan } from '../../core/plan-removal.ts';
import { formatBytes } from '../../platform/quantity.ts';
import type { CliContext } from '../context.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { findImages } from '../find-image.ts';
import { withMemory } from '../bind-history.ts';
import { withNode } from '../bind-runtime.ts';
import { makePlan, readRequest } from '../make-plan.ts';
import { describeDecision, FIGURES } from '../output/describe-decision.ts';
import { imageName, printable } from '../output/image-name.ts';
import { createProgress } from '../output/progress.ts';
import { writeDocument } from '../output/write-document.ts';
import type { PlanOptions } from '../parsed-options.ts';
import { whyNotAutomatic } from '../why-not-automatic.ts';

/** `image-cleaner explain IMAGE`: which rule of the decision chain holds for an image, and why those before it do not. */
export async function explain(context: CliContext, name: string, options: PlanOptions): Promise<ExitCode> {
  const request = await readRequest(context, options);
  const progress = createProgress(context);
  return withMemory(context, options, { progress, purpose: 'remember' }, (memory) =>
    withNode(context, options, async (node) => {
      const { plan } = await makePlan(context, { request, node, memory, ...progress, only: name });
      const ids = new Set(findImages(plan.facts.images, name).map(({ id }) => id));
      const explanations = plan.decisions.filter(({ image }) => ids.has(image.id)).map((decision) => explainDecision(decision, plan));
      const notAutomatic = whyNotAutomatic(options);
      const document = explanations.map(({ decision, passed, rule }) => ({ ...describeDecision(decision), rule, passed, notAutomatic }));
      await writeDocument(context.stdout, options.output, document, () =>
        explanations.map((explanation) => formatExplanation(explanation, notAutomatic)).join('\n'),
      );
      return EXIT.done;
    }),
  );
}

interface Explanation {
  readonly decision: Decision;
  /** The number of the rule that holds. */
  readonly rule: number;
  /** The rules before it, each with what holds instead. */
  readonly passed: readonly { readonly rule: number; readonly because: string }[];
}

function explainDecision(decision: Decision, { rules, facts }: RemovalPlan): Explanation {
  const at = rules.findIndex((rule) => rule.decide(decision.image, facts) !== null);
  const passed = rules.slice(0, at).map((rule) => ({ rule: rule.number, because: rule.passed }));
  return { decision, rule: rules[at]?.number ?? 0, passed };
}

/** `notAutomatic`: why no run does by itself what the rules say; null: one does. */
function formatExplanation({ decision, rule, passed }: Explanation, notAutomatic: string | null): string {
  const { image, outcome } = decision;
  const line = (number: number, text: string): string => `  ${String(number).padStart(2)}. ${text}\n`;
  const frees = decision.outcome === 'remove' ? `, freeing about ${formatBytes(decision.estimatedBytes)}` : '';
  return [
    `${imageName(image)}\n  id ${image.id}, ${formatBytes(image.sizeBytes)}\n`,
    ...passed.map(({ rule: number, because }) => line(number, because)),
    line(rule, `${outcome === 'keep' ? 'KEEP' : 'REMOVE'}: ${printable(formatReason(decision, FIGURES))}${frees}`),
    ...(decision.reason.code === 'vulnerable'
      ? decision.reason.findings.map(
          ({ id, severity, packageName, installedVersion, fixedVersion }) =>
            `      ${id} ${severity} ${printable(packageName)} ${printable(installedVersion)}, fixed in ${printable(fixedVersion ?? 'no version')}\n`,
        )
      : []),
    ...(outcome === 'remove' && notAutomatic !== null ? [`      But no run does so by itself: ${printable(notAutomatic)}\n`] : []),
  ].join('');
}
