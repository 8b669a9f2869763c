import type { ReadFailure } from '../../../src/api/coordinator/scans-call.ts';

export interface LeaseBounds {
  readonly nodes: number;
  readonly images: number;
  /** How many things may go wrong, in all. */
  readonly faults: number;
  readonly may: readonly LeaseFault[];
  /** How often time passes while a node has something to do. */
  readonly waits: number;
}

export type LeaseFault =
  /** A node is gone, with what it has in hand. */
  | 'node-dies'
  /** The coordinator has done what a call asks, and its answer is lost. */
  | 'lost-answer'
  /** A call ends in its middle: its time is up, or the connection is. */
  | 'call-ends'
  /** A node cannot read an image. */
  | 'not-read'
  /** Trivy's server does not answer. */
  | 'away'
  /** Trivy's server cannot use what was read. */
  | 'of-no-use'
  /** Another process leads: leases and failures are lost, and calls that are under way. */
  | 'leader';

export const ALL_LEASE_FAULTS: readonly LeaseFault[] = ['node-dies', 'lost-answer', 'call-ends', 'not-read', 'away', 'of-no-use', 'leader'];

export interface ScanNode {
  readonly isDead: boolean;
  /** Images that it has in hand. */
  readonly reading: readonly number[];
  readonly toTell: readonly Told[];
  /** By image: what it goes by in the end; null: nothing yet. */
  readonly results: readonly ('scanned' | 'failed' | null)[];
  /** Whether time has passed since its last call. */
  readonly isToRenew: boolean;
}

export interface Told {
  readonly image: number;
  readonly outcome: 'read' | 'failed';
}

export interface Asked {
  readonly node: number;
  readonly wanted: readonly number[];
  readonly inHand: readonly number[];
  readonly told: readonly Told[];
}

/** What a coordinator remembers when no call is under way. `left`: so many times a lease is not renewed and holds. */
export interface LeaseMemory {
  readonly leases: readonly ({ readonly node: number; readonly left: number } | null)[];
  /** By image: the nodes whose lease has run out, and that may tell yet what they have read. */
  readonly late: readonly (readonly number[])[];
  /** By image: the nodes that could not read it, in order. */
  readonly failures: readonly (readonly { readonly node: number; readonly why: FailureKind }[])[];
}
export type FailureKind = 'not-read' | 'of-no-use';
export const FAILURES: Readonly<Record<FailureKind, ReadFailure>> = {
  'not-read': { kind: 'unscanned', reason: 'scan-failed', message: 'it cannot be read' },
  'of-no-use': { kind: 'unscanned', reason: 'scan-failed', message: "Trivy's server cannot use what was read of it" },
};

/** What a coordinator has heard since no call was under way. Calls are numbered in their order. */
export type LeaseEvent =
  | { readonly kind: 'call'; readonly asked: Asked }
  | { readonly kind: 'known'; readonly call: number; readonly images: readonly number[] }
  | { readonly kind: 'judged'; readonly call: number; readonly isUsed: boolean }
  | { readonly kind: 'away'; readonly call: number }
  | { readonly kind: 'ended'; readonly call: number }
  | { readonly kind: 'time' };

/** How far a call is. */
export type CallState =
  | { readonly kind: 'reads' | 'judges'; readonly images: readonly number[] }
  /** For another node to tell of an image. */
  | { readonly kind: 'waits' }
  | {
      readonly kind: 'answered';
      readonly results: readonly (readonly [number, 'scanned' | 'failed'])[];
      readonly leased: readonly number[];
    }
  | { readonly kind: 'refused' };

export interface ScanState {
  readonly nodes: readonly ScanNode[];
  /** The images that a verdict is kept of. */
  readonly known: readonly number[];
  readonly memory: LeaseMemory;
  readonly heard: readonly LeaseEvent[];
  /** Of the calls in `heard`: whether the node still waits for it. */
  readonly open: readonly boolean[];
  readonly faultsLeft: number;
  readonly waitsLeft: number;
  readonly seen: {
    /** By image: that it may be given out: for the first time, or since the lease ran out, its holder could not read it or names it no more, or the leases were lost. */
    readonly isFree: readonly boolean[];
    /** By image: how often time has passed since its holder has last called with it in hand. */
    readonly unheard: readonly number[];
    /** Of the calls in `heard`: of which images their node could tell when it was heard. */
    readonly held: readonly (readonly number[])[];
  };
}
