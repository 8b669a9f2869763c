import type { Problem } from '../../api/problem.ts';
import type { ExclusionList } from '../../api/exclusion-list.ts';
import type { AcceptedConfiguration } from '../../core/cluster/accept-configuration.ts';
import type { JudgedExclusions } from './judge-exclusions.ts';

/** What runs begin with. */
export interface RunInputs {
  readonly configuration: AcceptedConfiguration;
  readonly exclusions: readonly ExclusionList[];
}

/** Whether a run may begin now. */
export type Gate =
  | { readonly kind: 'open'; readonly inputs: RunInputs }
  | { readonly kind: 'closed'; readonly reason: ClosedReason; readonly message: string };
export type ClosedReason = 'ConfigurationUnreadable' | 'ExclusionsUnreadable';

/** The configuration in force, and the exclusions as they are: null, as long as they have not been looked at. */
export class Inputs {
  #configuration: AcceptedConfiguration | null = null;
  #configurationProblems: readonly Problem[] = [];
  #exclusions: JudgedExclusions | null = null;
  #runRequest: string | null = null;

  get configuration(): AcceptedConfiguration | null {
    return this.#configuration;
  }

  useConfiguration(accepted: AcceptedConfiguration): void {
    this.#configuration = accepted;
    this.#configurationProblems = [];
  }

  /** The last good one stays in force. */
  refuseConfiguration(problems: readonly Problem[]): void {
    this.#configurationProblems = problems;
  }

  useExclusions(exclusions: JudgedExclusions): void {
    this.#exclusions = exclusions;
  }

  /** The token of the run that is asked for; null: none is. Of the same look at the configmap as the configuration: it is for that one. */
  get runRequest(): string | null {
    return this.#runRequest;
  }

  noteRunRequest(token: string | null): void {
    this.#runRequest = token;
  }

  get gate(): Gate {
    if (this.#configuration === null) {
      const message = `No configuration can be used: ${formatProblems(this.#configurationProblems) || 'there is none'}`;
      return { kind: 'closed', reason: 'ConfigurationUnreadable', message };
    }
    if (this.#exclusions?.ok !== true) return closedByExclusions(this.#exclusions);
    return { kind: 'open', inputs: { configuration: this.#configuration, exclusions: this.#exclusions.lists } };
  }
}

function closedByExclusions(judged: (JudgedExclusions & { readonly ok: false }) | null): Gate {
  const problems = judged?.faults.flatMap((fault) => fault.problems) ?? [];
  const why = judged === null ? 'they have not been read yet' : formatProblems(problems);
  return { kind: 'closed', reason: 'ExclusionsUnreadable', message: `The exclusions cannot be used, so nothing is removed: ${why}` };
}

/** As many as a person reads. */
const MOST_SHOWN = 10;

export function formatProblems(problems: readonly Problem[]): string {
  const shown = problems.slice(0, MOST_SHOWN).map(({ path, message }) => (path === '' ? message : `${path}: ${message}`));
  const rest = problems.length - shown.length;
  return [...shown, ...(rest > 0 ? [`and ${rest} more`] : [])].join('; ');
}
