import { openTestHistory } from '../fakes/history-in-test.ts';
import { ENDPOINT } from '../fakes/runs.ts';
import { asNodeImage, idOf, type Known } from './differences.ts';
import type { Incident, Scenario, ScenarioImage } from './scenario.ts';

/** What our history, the real one, tells at the end of a scenario: a run looks at each moment at which anything happens to an image. */
export async function liveThrough(scenario: Scenario): Promise<Known> {
  const { images, incidents, now } = scenario;
  const { history, clock } = await openTestHistory();
  const happens = (incident: Incident): void => {
    if (incident.kind === 'reboot') clock.reboot(incident.seconds * 1000);
    else clock.step(incident.seconds * 1000);
  };
  const sighted = images.flatMap(({ seenAt, usedAt }) => [seenAt, usedAt ?? seenAt]);
  let second = 0;
  for (const moment of [...new Set([...sighted, ...incidents.map(({ at }) => at), now])].sort((a, b) => a - b)) {
    clock.pass((moment - second) * 1000);
    second = moment;
    incidents.filter(({ at }) => at === moment).forEach(happens);
    if (!sighted.includes(moment) && moment !== now) continue;
    const there = images.filter(({ seenAt }) => seenAt <= moment);
    const inUse = new Set(there.filter((image) => isSeenInUse(image, moment, now)).map(({ id }) => idOf(id)));
    await history.memoryOf(ENDPOINT).recordSightings({ images: there.map(asNodeImage), inUse });
  }
  const histories = await history.memoryOf(ENDPOINT).readImageHistories(images.map(({ id }) => idOf(id)));
  await history.close();
  return { histories: scenario.history ? histories : new Map(), now: clock.now() };
}

function isSeenInUse({ usedAt, useMissed, use }: ScenarioImage, moment: number, now: number): boolean {
  return (usedAt === moment && !useMissed) || (moment === now && use !== '');
}
