import type { Component, EraserConfig, HostVolume, TrivyConfig } from '../../api/eraser-config.ts';
import type { Problem } from '../../api/problem.ts';
import { parseImageReference, repositoryName } from '../reference.ts';
import { podProblems } from './pod-problems.ts';
import { runtimeSockets, type RuntimeSockets } from './runtime-sockets.ts';
import { volumeProblems } from './scanner-volumes.ts';

/** A container image of ours, and what to run in it. */
export interface OwnContainer {
  readonly image: string;
  readonly command: readonly string[];
}

export type OwnContainers = Readonly<Record<'collector' | 'scanner' | 'remover', OwnContainer>>;

/** Processors and bytes; 0: none. */
export interface Resources {
  readonly request: { readonly cpu: number; readonly mem: number };
  readonly limit: { readonly cpu: number; readonly mem: number };
}

export type ResolvedContainer = OwnContainer & { readonly resources: Resources };

export type ResolvedScanner =
  | { readonly kind: 'off' }
  | {
      readonly kind: 'trivy';
      readonly container: ResolvedContainer;
      readonly volumes: readonly HostVolume[];
      readonly timeout: TrivyConfig['timeout'];
    }
  /** A scanner of the user's, made for Eraser's template: its image says what runs in it. */
  | { readonly kind: 'custom'; readonly image: string; readonly resources: Resources; readonly volumes: readonly HostVolume[] };

/** What runs on the nodes. */
export interface Components {
  readonly collector: ResolvedContainer;
  readonly scanner: ResolvedScanner;
  readonly remover: ResolvedContainer;
  readonly sockets: RuntimeSockets;
}

/** For an Event: where what runs is not what the configuration says. */
export interface ComponentNotice {
  readonly reason: 'ImageReplaced' | 'MemoryLimitRaised';
  /** `components.remover.limit.mem`. */
  readonly path: string;
  readonly message: string;
}

export type ResolvedComponents =
  | { readonly ok: true; readonly components: Components; readonly notices: readonly ComponentNotice[] }
  | { readonly ok: false; readonly errors: readonly Problem[] };

const MiB = 1024 * 1024;
/**
 * What our containers need, from measurements of the engine: a run over a node with 200 images takes up to 175 MiB, and a scanner has Trivy
 * beside it, which reads images of some hundred MiB.
 */
const LEAST_MEMORY = { collector: 256 * MiB, scanner: 1024 * MiB, remover: 256 * MiB } as const;

/** A whole processor, which Eraser asks for by default: on a full node its pods get none, though a scan needs it for minutes only. */
const ERASERS_SCANNER_CPU_REQUEST = 1;

/**
 * What the worker pods of a configuration run. Collector and remover are ours, whatever the configuration names; the scanner is, if the
 * configuration names none, or Eraser's (which `config.kind` tells: the configuration was read for it). Any other is the user's own.
 */
export function resolveComponents({ manager, components }: EraserConfig, own: OwnContainers): ResolvedComponents {
  const { collector, scanner, remover } = components;
  const sockets = runtimeSockets(manager.runtime);
  const errors = [
    ...podProblems(manager),
    ...(sockets.ok ? [] : sockets.errors),
    ...(scanner.enabled ? scannerProblems(scanner, own.scanner.image) : []),
  ];
  if (!sockets.ok || errors.length > 0) return { ok: false, errors };
  const notices: ComponentNotice[] = [];
  const resolve = (name: keyof OwnContainers, component: Component): ResolvedContainer => {
    notices.push(...replacedImage(name, component, own[name].image));
    const resources = raiseMemory(name, component, notices);
    return { ...own[name], resources };
  };
  const resolved: Components = {
    collector: resolve('collector', collector),
    scanner: resolveScanner(scanner, (component) => resolve('scanner', component)),
    remover: resolve('remover', remover),
    sockets: sockets.value,
  };
  return { ok: true, components: resolved, notices };
}

type Scanner = EraserConfig['components']['scanner'];

function resolveScanner(scanner: Scanner, resolveOwn: (component: Component) => ResolvedContainer): ResolvedScanner {
  if (!scanner.enabled) return { kind: 'off' };
  const { volumes, request, limit } = scanner;
  const isErasersDefault = request.cpu === ERASERS_SCANNER_CPU_REQUEST;
  const asked = { ...scanner, request: { ...request, cpu: isErasersDefault ? 0 : request.cpu } };
  if (scanner.config.kind === 'trivy') return { kind: 'trivy', container: resolveOwn(asked), volumes, timeout: scanner.config.timeout };
  return { kind: 'custom', image: imageOf(scanner), resources: { request: asked.request, limit }, volumes };
}

function scannerProblems(scanner: Scanner, ownImage: string): Problem[] {
  const problems = volumeProblems(scanner.volumes);
  const { repo } = scanner.image;
  // Its configuration was read as that of a custom scanner, so that what it says of severities and the like would not hold.
  if (scanner.config.kind === 'custom' && repo !== null && repositoryOf(repo) === repositoryOf(ownImage)) {
    const message = `"${repo}" is Image Cleaner's own image, which runs when no image is named: leave it out`;
    problems.push({ path: 'components.scanner.image.repo', message });
  }
  return problems;
}

function repositoryOf(image: string): string {
  const parsed = parseImageReference(image);
  return parsed.ok ? repositoryName(parsed.reference) : image;
}

function imageOf({ image: { repo, tag } }: Component): string {
  return tag === null || tag === '' ? (repo ?? '') : `${repo ?? ''}:${tag}`;
}

function replacedImage(name: keyof OwnContainers, component: Component, ownImage: string): ComponentNotice[] {
  const { repo } = component.image;
  if (repo === null || repo === '' || repositoryOf(repo) === repositoryOf(ownImage)) return [];
  const message = `${imageOf(component)} does not run; ${ownImage} does its work`;
  return [{ reason: 'ImageReplaced', path: `components.${name}.image`, message }];
}

/** A limit below the request is what the API server refuses. */
function raiseMemory(name: keyof OwnContainers, { request, limit }: Component, notices: ComponentNotice[]): Resources {
  const least = Math.max(LEAST_MEMORY[name], request.mem);
  if (limit.mem === 0 || limit.mem >= least) return { request, limit };
  const message = `raised from ${formatMebibytes(limit.mem)} to ${formatMebibytes(least)}, which the ${name} needs`;
  notices.push({ reason: 'MemoryLimitRaised', path: `components.${name}.limit.mem`, message });
  return { request, limit: { ...limit, mem: least } };
}

function formatMebibytes(bytes: number): string {
  return `${Math.ceil(bytes / MiB)}Mi`;
}
