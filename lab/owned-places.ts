import { errorMessage } from '../src/platform/errors.ts';
import type { OnProgress } from './debian-tools.ts';
import type { Place } from './place.ts';
import { listAbandonedPlaces } from './place.ts';
import { sweepPlace } from './sweep-place.ts';

/** The places that this process has to remove before it ends, however it ends. */
const owned = new Set<Place>();
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** From now on the place is removed when the process exits or a signal ends it. */
export function ownPlace(place: Place): void {
  if (owned.size === 0) {
    process.on('exit', sweepOwned);
    for (const signal of SIGNALS) process.on(signal, onSignal);
  }
  owned.add(place);
}

/** Removes the place now. */
export function releasePlace(place: Place): void {
  if (!owned.delete(place)) return;
  if (owned.size === 0) {
    process.off('exit', sweepOwned);
    for (const signal of SIGNALS) process.off(signal, onSignal);
  }
  sweepPlace(place);
}

/** What a run that was killed left behind; what can't be removed is none of the new run's business. */
export function sweepAbandonedPlaces(onProgress: OnProgress = () => undefined): void {
  for (const place of listAbandonedPlaces()) {
    try {
      sweepPlace(place);
    } catch (error) {
      onProgress(errorMessage(error));
    }
  }
}

function sweepOwned(): void {
  for (const place of owned) {
    try {
      releasePlace(place);
    } catch (error) {
      process.stderr.write(`${errorMessage(error)}\n`);
    }
  }
}

function onSignal(signal: NodeJS.Signals): void {
  // Whoever else listens decides how the process ends, and its exit sweeps.
  if (process.listenerCount(signal) > 1) return;
  sweepOwned();
  process.kill(process.pid, signal);
}
