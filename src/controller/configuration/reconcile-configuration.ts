import type { Condition } from '../../api/condition.ts';
import { CONFIG_MAP_KEY, CONFIG_MAP_NAME } from '../../api/eraser-config/config-map.ts';
import { SYSTEM_EXCLUSION_NAME } from '../../api/exclusion-config-map.ts';
import type { Problem } from '../../api/problem.ts';
import { readRunRequest } from '../../api/run-request.ts';
import { withFindings, type Finding } from '../conditions.ts';
import type { Log } from '../../platform/log.ts';
import { KEYS } from '../keys.ts';
import type { ClusterApi, Copies, Enqueue, EventFacts, RecordEvent } from '../ports.ts';
import type { RawObject } from '../raw-object.ts';
import type { StateStore } from '../state/state-store.ts';
import type { AcceptConfiguration, JudgedConfiguration } from '../../core/cluster/accept-configuration.ts';
import { formatProblems, type Inputs } from './inputs.ts';
import { judgeExclusions, type JudgedExclusions } from './judge-exclusions.ts';
import { planSystemExclusion, systemExclusionObject, withSystemExclusion, type SystemExclusion } from './system-exclusion.ts';

export interface ConfigurationContext {
  readonly api: Pick<ClusterApi, 'apply'>;
  readonly enqueue: Enqueue;
  readonly copies: Pick<Copies, 'configuration' | 'exclusions'>;
  readonly inputs: Inputs;
  readonly state: Pick<StateStore, 'read' | 'write'>;
  readonly acceptConfiguration: AcceptConfiguration;
  readonly namespace: string;
  /** The configuration that the process was started with; null: none. */
  readonly mountedText: string | null;
  readonly recordEvent: RecordEvent;
  readonly log: Log;
  readonly now: () => number;
  /** Runs may begin now that could not, or by other settings. */
  readonly onChange: () => void;
}

/** How often the system's list is put back at most. */
const PUT_BACK_MS = 60_000;

/**
 * Puts configuration and exclusions into force as they are now. What cannot be used is told in an Event about its configmap and in a condition of
 * the state; the last good configuration stays in force, also over a restart, while without readable exclusions no run begins.
 */
export class ConfigurationReconciler {
  readonly #context: ConfigurationContext;
  /** When the system's list was put back last. */
  #putBackAt = -Infinity;
  /** The versions of what was told of last: a request for a run makes a configuration no other one. */
  #toldOf = '';

  constructor(context: ConfigurationContext) {
    this.#context = context;
  }

  async reconcile(signal: AbortSignal): Promise<void> {
    const { copies, inputs, state, now, onChange } = this.#context;
    const stored = await state.read(signal);
    const configMap = copies.configuration.values()[0] ?? null;
    const judged = this.#judge(configMap);
    if (judged.ok) inputs.useConfiguration(judged.accepted);
    else {
      inputs.refuseConfiguration(judged.errors);
      this.#fallBack(stored.configuration);
    }
    inputs.noteRunRequest(readRunRequest(configMap?.metadata['annotations']));
    const exclusionMaps = uniqueByName(copies.exclusions.values());
    const system = exclusionMaps.find(({ metadata }) => metadata.name === SYSTEM_EXCLUSION_NAME) ?? null;
    const step = planSystemExclusion(stored.systemExclusion, system);
    const exclusions = judgeExclusions(withSystemExclusion(exclusionMaps, step, this.#context.namespace));
    inputs.useExclusions(exclusions);
    const toldOf = versionsOf(configMap, exclusionMaps);
    if (toldOf !== this.#toldOf) this.#recordEvents(configMap, judged, exclusions);
    this.#toldOf = toldOf;
    const conditions: Condition[] = withFindings(stored.conditions, [configurationFinding(judged), exclusionsFinding(exclusions)], {
      now: now(),
    });
    const configuration = judged.ok ? judged.accepted.text : stored.configuration;
    const systemExclusion = step.kind === 'adopt' ? step.data : stored.systemExclusion;
    await state.write({ ...stored, conditions, configuration, systemExclusion }, signal);
    onChange();
    if (step.kind === 'put-back') await this.#putBack(step.data, system, signal);
  }

  /** Whoever else keeps that configmap in order is not to be fought with. */
  async #putBack(data: SystemExclusion, found: RawObject | null, signal: AbortSignal): Promise<void> {
    const { api, enqueue, namespace, recordEvent, now } = this.#context;
    const leftMs = this.#putBackAt + PUT_BACK_MS - now();
    if (leftMs > 0 && leftMs <= PUT_BACK_MS) {
      enqueue(KEYS.configuration, leftMs);
      return;
    }
    this.#putBackAt = now();
    const whole = systemExclusionObject(data, namespace);
    await api.apply(whole, signal);
    const note = 'The list of the system was changed, and is put back. Exclusions of your own belong in a configmap of your own.';
    recordEvent({
      regarding: this.#regarding(found ?? whole),
      type: 'Warning',
      reason: 'SystemExclusionPutBack',
      action: 'ReadConfiguration',
      note,
    });
  }

  #judge(configMap: RawObject | null): JudgedConfiguration {
    const { mountedText, namespace } = this.#context;
    const text = configMap === null ? mountedText : textOf(configMap);
    if (text === null) {
      const missing =
        configMap === null
          ? `there is no configmap ${CONFIG_MAP_NAME} in the namespace ${namespace}`
          : `the configmap has no key ${CONFIG_MAP_KEY}`;
      const message = `${missing}; an EraserConfig is needed under the key ${CONFIG_MAP_KEY} of ${CONFIG_MAP_NAME}`;
      return { ok: false, errors: [{ path: '', message }] };
    }
    return this.#context.acceptConfiguration(text);
  }

  /** After a restart, the last good one is what was stored of it. */
  #fallBack(stored: string | null): void {
    const { inputs, acceptConfiguration } = this.#context;
    if (inputs.configuration !== null || stored === null) return;
    const judged = acceptConfiguration(stored);
    if (judged.ok) inputs.useConfiguration(judged.accepted);
  }

  #recordEvents(configMap: RawObject | null, judged: JudgedConfiguration, exclusions: JudgedExclusions): void {
    const tell = (
      type: EventFacts['type'],
      about: RawObject | null,
      { reason, note }: { readonly reason: string; readonly note: string },
    ): void => {
      this.#context.log[type === 'Normal' ? 'info' : 'warn']('configuration read', { reason, why: note });
      this.#context.recordEvent({ regarding: this.#regarding(about), type, reason, action: 'ReadConfiguration', note });
    };
    if (!judged.ok) tell('Warning', configMap, { reason: 'ConfigurationUnreadable', note: formatProblems(judged.errors) });
    else {
      for (const warning of judged.warnings)
        tell('Warning', configMap, { reason: 'SettingWithoutEffect', note: formatProblems([warning]) });
      for (const { reason, path, message } of judged.notices) tell('Normal', configMap, { reason, note: `${path}: ${message}` });
    }
    if (exclusions.ok) return;
    for (const { configMap: map, problems } of exclusions.faults) {
      tell('Warning', map, { reason: 'ExclusionsUnreadable', note: `Nothing is removed: ${formatProblems(problems)}` });
    }
  }

  #regarding(about: RawObject | null): EventFacts['regarding'] {
    const { name = CONFIG_MAP_NAME, uid } = about?.metadata ?? {};
    const { namespace } = this.#context;
    return { apiVersion: 'v1', kind: 'ConfigMap', namespace, name, ...(uid === undefined ? {} : { uid }) };
  }
}

function textOf(configMap: RawObject): string | null {
  const data = configMap['data'] as Readonly<Record<string, string>> | null | undefined;
  return data?.[CONFIG_MAP_KEY] ?? null;
}

/** Of what a configuration and the exclusions say: not of other fields of the configmap of the configuration. */
function versionsOf(configMap: RawObject | null, exclusionMaps: readonly RawObject[]): string {
  const versions = exclusionMaps.map(({ metadata: { name, uid, resourceVersion } }) => [name, uid, resourceVersion]);
  return JSON.stringify([configMap?.metadata.uid, configMap === null ? null : textOf(configMap), versions]);
}

function uniqueByName(objects: readonly RawObject[]): RawObject[] {
  return [...new Map(objects.map((object) => [object.metadata.name, object])).values()];
}

function configurationFinding(judged: JudgedConfiguration): Finding {
  return findingOf('ConfigurationAccepted', judged.ok ? [] : judged.errors, 'ConfigurationUnreadable');
}

function exclusionsFinding(judged: JudgedExclusions): Finding {
  return findingOf('ExclusionsAccepted', judged.ok ? [] : judged.faults.flatMap(({ problems }) => problems), 'ExclusionsUnreadable');
}

function findingOf(type: string, problems: readonly Problem[], reason: string): Finding {
  return problems.length === 0
    ? { type, status: 'True', reason: 'Read', message: '' }
    : { type, status: 'False', reason, message: formatProblems(problems) };
}
