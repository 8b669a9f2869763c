import { createHash } from 'node:crypto';
import { kubeletOrderKey, type ImageUse, type Incident, type Scenario, type ScenarioImage } from './scenario.ts';

/** The scenarios that the kubelet and Image Cleaner are compared on: the same ones each time, out of a seed. */

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const MB = 1_000_000;
const NOW = 40 * DAY;
/** The last two divide by 100 with a rest. */
const CAPACITIES = [100_000 * MB, 128 * 2 ** 30, 99_999_999_977, 20_000_000_003];

/** Numbers as if by chance, from the hashes of a name and a counter. */
class Chance {
  readonly #name: string;
  #drawn = 0;

  constructor(name: string) {
    this.#name = name;
  }

  /** A whole number from `least` to `most`. */
  between(least: number, most: number): number {
    this.#drawn += 1;
    const hash = createHash('sha256')
      .update(`${this.#name} ${String(this.#drawn)}`)
      .digest();
    return least + (hash.readUIntBE(0, 6) % (most - least + 1));
  }

  oneOf<T>(values: readonly T[]): T {
    return values[this.between(0, values.length - 1)] as T;
  }

  /** True in so many of 100 cases. */
  in100(cases: number): boolean {
    return this.between(1, 100) <= cases;
  }
}

type Vary = (scenario: Scenario, chance: Chance) => Scenario;
type VaryImage = (image: ScenarioImage, chance: Chance, scenario: Scenario) => Partial<ScenarioImage>;

function plain(name: string, chance: Chance): Scenario {
  const capacity = chance.oneOf(CAPACITIES);
  const high = chance.between(60, 95);
  const used = Math.round((capacity * (high * 10 + chance.between(-20, 50))) / 1000);
  return {
    name,
    minAge: chance.oneOf([0, 2 * MINUTE, HOUR, DAY]),
    maxAge: 0,
    high,
    low: high - chance.between(1, 10),
    capacity,
    available: Math.max(0, capacity - used),
    now: NOW,
    kubeletStartedAt: 0,
    images: Array.from({ length: chance.between(2, 7) }, (_value, at) => plainImage(String(at + 1), chance, capacity)),
    incidents: [],
    history: true,
  };
}

/** An image that shares nothing, of up to 5% of the disk; each moment is its own. */
function plainImage(id: string, chance: Chance, capacity: number): ScenarioImage {
  const size = chance.between(1, Math.floor(capacity / 20));
  const seenAt = chance.between(1, NOW - 1);
  const usedAt = chance.in100(60) ? chance.between(seenAt, NOW - 1) : null;
  const units = [{ key: id, bytes: size }];
  return { id, size, units, seenAt, usedAt, useMissed: false, use: '', pinned: false, sandbox: false };
}

const eachImage =
  (vary: VaryImage): Vary =>
  (scenario, chance) => ({ ...scenario, images: scenario.images.map((image) => ({ ...image, ...vary(image, chance, scenario) })) });

/** `seconds` before now. */
const ago = (seconds: number): number => NOW - seconds;

/** What is in use is exactly a threshold, a byte less or more; or between two whole per cents. */
const onThreshold: Vary = (scenario, chance) => {
  const { capacity, high } = scenario;
  const percent = high - chance.oneOf([0, 0, 1]);
  const used = Math.round((capacity * percent) / 100) + chance.oneOf([-1, 0, 0, 1, Math.floor(capacity / 250)]);
  return { ...scenario, available: capacity - used, low: high - chance.oneOf([1, 1, 5]) };
};

/** Over the high threshold, and what the first images free is exactly what is to be freed, a byte less or more. */
const onLowThreshold: Vary = (scenario, chance) => {
  const { capacity, high, low } = scenario;
  const used = Math.ceil((capacity * high) / 100) + chance.between(1, 1000);
  const toFree = used - Math.ceil((capacity * low) / 100) + chance.oneOf([-1, 0, 0, 1]);
  const images = scenario.images.map((image, at) => {
    const size = at === 0 ? toFree : image.size;
    return { ...image, size, units: [{ key: image.id, bytes: size }], seenAt: at + 1, usedAt: null };
  });
  return { ...scenario, minAge: 0, available: capacity - used, images };
};

const onLeastAge: Vary = (scenario, chance) => {
  const minAge = chance.oneOf([0, 2 * MINUTE, DAY]);
  const vary = eachImage((image) => {
    const seenAt = Math.min(NOW - 1, chance.in100(60) ? ago(minAge + chance.oneOf([-1, 0, 1])) : image.seenAt);
    return { seenAt, usedAt: image.usedAt === null ? null : Math.max(seenAt, image.usedAt) };
  });
  return vary({ ...scenario, minAge, available: Math.floor(scenario.capacity / 100) }, chance);
};

const onGreatestAge: Vary = (scenario, chance) => {
  const maxAge = chance.oneOf([2 * DAY, 7 * DAY, 30 * DAY]);
  const vary = eachImage(() => {
    const lastUse = chance.in100(50) ? ago(maxAge + chance.oneOf([-1, 0, 1])) : chance.between(2, NOW - 1);
    return chance.in100(70) ? { seenAt: chance.between(1, lastUse), usedAt: lastUse } : { seenAt: lastUse, usedAt: null };
  });
  return vary({ ...scenario, maxAge, minAge: chance.oneOf([0, HOUR]) }, chance);
};

/** Half of them shortly before now, so that the kubelet knows next to nothing. */
const kubeletRestarted: Vary = (scenario, chance) => ({
  ...scenario,
  kubeletStartedAt: chance.in100(50) ? ago(chance.between(30, 2 * HOUR)) : chance.between(DAY, NOW - DAY),
});

/** Pairs and more that came together and were used together. */
const inGroups: Vary = (scenario, chance) => {
  const moments = Array.from({ length: 2 }, () => plainImage('', chance, scenario.capacity));
  const vary = eachImage(() => {
    const { seenAt, usedAt } = chance.oneOf(moments);
    // Used together, but not of one age.
    return { seenAt: chance.in100(20) && usedAt !== null ? chance.between(1, seenAt) : seenAt, usedAt };
  });
  const images = [...scenario.images, plainImage(String(scenario.images.length + 1), chance, scenario.capacity)];
  return vary({ ...scenario, images }, chance);
};

/** Images on a common base, which the runtime counts in each; and what it reports may be less than what they occupy. */
const sharingLayers: Vary = (scenario, chance) => {
  const base = chance.between(1, Math.floor(scenario.capacity / 25));
  return eachImage(({ id, size }) => {
    const own = { key: id, bytes: size };
    if (chance.in100(70)) return { size: size + base, units: [{ key: 'base', bytes: base }, own] };
    return { size: chance.in100(50) ? size : Math.floor(size / 3), units: [own] };
  })(scenario, chance);
};

const USES: readonly ImageUse[] = ['', '', 'container', 'volume', 'pending-pod', 'beside-cri'];

const inUse = eachImage((_image, chance) => ({ use: chance.oneOf(USES), pinned: chance.in100(15), sandbox: chance.in100(15) }));

const emptyImages = eachImage(({ id }, chance) =>
  chance.in100(50) ? { size: 0, units: chance.in100(50) ? [] : [{ key: id, bytes: 0 }] } : {},
);

/** Image Cleaner knows less than the kubelet: it has no history, or did not run while an image was in use. */
const knowingLess: Vary = (scenario, chance) =>
  chance.in100(30) ? { ...scenario, history: false } : eachImage(() => ({ useMissed: chance.in100(50) }))(scenario, chance);

const withIncidents: Vary = (scenario, chance) => {
  const incidents = Array.from({ length: chance.between(1, 3) }, (): Incident => {
    const seconds = chance.oneOf([-1, 1]) * chance.oneOf([HOUR, 3 * DAY, 400 * DAY]);
    return { kind: chance.in100(30) ? 'reboot' : 'clock-step', at: chance.between(1, NOW - 1), seconds };
  }).sort((a, b) => a.at - b.at);
  const lastBoot = incidents.findLast(({ kind }) => kind === 'reboot')?.at ?? 0;
  return { ...scenario, incidents, kubeletStartedAt: lastBoot };
};

const tooFull: Vary = (scenario, chance) => ({ ...scenario, available: chance.between(0, Math.floor(scenario.capacity / 500)) });

const oddFilesystem: Vary = (scenario, chance) => {
  const capacity = chance.in100(50) ? 0 : scenario.capacity;
  return { ...scenario, capacity, available: capacity + chance.between(0, 1000) };
};

/** How many scenarios of each kind, and what is done to a plain one for it. */
const KINDS: Readonly<Record<string, readonly [number, readonly Vary[]]>> = {
  plain: [12, []],
  'on a threshold': [24, [onThreshold]],
  'on the low threshold': [12, [onLowThreshold]],
  'on the least age': [18, [onLeastAge]],
  'on the greatest age': [24, [onGreatestAge]],
  'kubelet restarted': [14, [kubeletRestarted]],
  'kubelet restarted, with a greatest age': [14, [onGreatestAge, kubeletRestarted]],
  'in groups': [14, [inGroups]],
  'sharing layers': [14, [sharingLayers]],
  'sharing layers, with a greatest age': [8, [onGreatestAge, sharingLayers]],
  'in use': [14, [inUse]],
  'empty images': [8, [emptyImages]],
  'knowing less': [10, [knowingLess]],
  'knowing less, with a greatest age': [8, [onGreatestAge, knowingLess]],
  'clock steps and reboots': [12, [withIncidents]],
  'clock steps and reboots, with a greatest age': [8, [onGreatestAge, withIncidents]],
  'too full': [8, [tooFull]],
  'odd filesystem': [6, [oddFilesystem]],
  everything: [24, [onGreatestAge, onThreshold, kubeletRestarted, inGroups, sharingLayers, inUse, emptyImages, knowingLess]],
};

export function makeScenarios(): Scenario[] {
  return Object.entries(KINDS).flatMap(([kind, [count, variations]]) =>
    Array.from({ length: count }, (_value, at) => {
      const name = `${kind} ${String(at + 1)}`;
      const chance = new Chance(name);
      return sameSizeWhereLeftToChance(variations.reduce((scenario, vary) => vary(scenario, chance), plain(name, chance)));
    }),
  );
}

/** How many of images in random order the kubelet removes is the same each time when their sizes are the same. */
function sameSizeWhereLeftToChance(scenario: Scenario): Scenario {
  const sizes = new Map<string, number>();
  const images = scenario.images.map((image) => {
    const key = kubeletOrderKey(scenario, image);
    const size = sizes.get(key) ?? image.size;
    sizes.set(key, size);
    return { ...image, size };
  });
  return { ...scenario, images };
}

/** Tells whether the kubelet was asked about these scenarios or about others. */
export function digestOf(scenarios: readonly Scenario[]): string {
  return createHash('sha256').update(JSON.stringify(scenarios)).digest('hex');
}
