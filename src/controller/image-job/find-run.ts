import type { Run } from './run.ts';

export type FoundRun =
  | {
      readonly kind: 'goes-on';
      readonly run: Run;
      /** When this process went on with it after another one, with pods at work, on the clock that nobody can set; null: it did not. */
      readonly takenUpAt: number | null;
    }
  /** Its job has ended, is being deleted, or is none that there is. */
  | { readonly kind: 'over' }
  /** By a controller that has only begun to lead: it will be, or its job will end. */
  | { readonly kind: 'not-taken-up' };

/** By the uid of its ImageJob. */
export type FindRun = (jobUid: string) => FoundRun;
