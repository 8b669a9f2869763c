import { writeFileSync } from 'node:fs';
import { readBootClock } from '../../src/platform/boot-clock.ts';
import { SYSTEM_TIMING } from '../../src/platform/timing.ts';
import { openClusterHistory } from '../../src/store/open-cluster-history.ts';
import { image } from '../fakes/images.ts';
import { keptOn, lookAt, NEVER, nodeResults, removedOn, workerPod } from '../fakes/node-results.ts';

/**
 * A manager's process, for the tests of killed ones: puts one node after the other on record, several at a time, without end, and says of each in a
 * line when that is done. `PATH JOB FIRST`: the first node's number.
 */
const [path = '', job = '', first = '0'] = process.argv.slice(2);
const LANES = 12;

const history = await openClusterHistory({
  place: { path },
  owner: { cluster: 'here', from: null },
  now: Date.now,
  bootClock: readBootClock,
  timing: SYSTEM_TIMING,
  version: '1.2.3',
  namesOf: ({ repoTags }) => repoTags,
  onFault: (fault) => {
    if (fault !== null) writeFileSync(1, `fault ${fault.code}\n`);
  },
});
let next = Number(first);
const images = Array.from({ length: 60 }, (_, number) => image(number));

async function lane(): Promise<void> {
  for (;;) {
    const number = next++;
    const pod = workerPod(`node-${number}`, job);
    await history.images.observe(pod, lookAt(images.slice(0, 20)), NEVER);
    await history.logs.append(pod, { container: 'remover', sequence: 0, lines: [`on node ${number}`] }, NEVER);
    const decisions = images.map((known, at) => (at % 2 === 0 ? keptOn(known) : removedOn(known)));
    await history.results.record(pod, nodeResults(decisions), `digest ${number}`, NEVER);
    writeFileSync(1, `${number}\n`);
  }
}

writeFileSync(1, 'begun\n');
await Promise.all(Array.from({ length: LANES }, () => lane()));
