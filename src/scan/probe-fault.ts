import { classifyTrivyFailure, fatalMessageOf } from './classify-trivy-failure.ts';
import type { ProcessEnd } from './run-process.ts';
import { scannerFault, type ScannerFault } from './scanner-fault.ts';

/** What it means that Trivy failed in something that does not depend on any image. `what`: for the message. */
export function probeFault(end: ProcessEnd, what: string): ScannerFault {
  switch (end.kind) {
    case 'output-too-large':
      return scannerFault('bad-output', `Trivy printed more than was expected in ${what}.`);
    case 'killed':
      return scannerFault('crashed', `Trivy was ended by ${end.signal} in ${what}.`);
    case 'exited': {
      const failure = classifyTrivyFailure(end.stderr);
      if (failure.kind === 'fault') return scannerFault(failure.code, `Trivy failed in ${what}: ${failure.message}`);
      if (failure.kind === 'unscanned' && failure.reason === 'disk-full')
        return scannerFault('no-work-directory', `Trivy failed in ${what}: ${failure.message}`);
      return scannerFault('crashed', `Trivy exited with code ${end.code} in ${what}: ${fatalMessageOf(end.stderr)}`);
    }
  }
}
