import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { imageConfig } from '../../scripts/images/image-config.ts';
import { IMAGES, type ImageName } from '../../scripts/images/image-parts.ts';
import packageJson from '../../package.json' with { type: 'json' };

/** The images of a container engine are to be those of `npm run images`. */

interface Instruction {
  readonly name: string;
  readonly value: string;
}

interface Stage {
  readonly from: string;
  readonly instructions: readonly Instruction[];
}

const text = readFileSync(new URL('../../deploy/image/Dockerfile', import.meta.url), 'utf8');

/** The stages by name, with continued lines joined; the instructions before the first stage are under ''. */
function parseDockerfile(dockerfile: string): ReadonlyMap<string, Stage> {
  const lines = dockerfile
    .replaceAll(/^#.*\n/gm, '')
    .replaceAll(/\\\n\s*/g, '')
    .split('\n');
  const stages = new Map<string, { from: string; instructions: Instruction[] }>();
  let current = { from: '', instructions: [] as Instruction[] };
  stages.set('', current);
  for (const line of lines.filter((found) => found.trim() !== '')) {
    const [, name = '', value = ''] = /^(\S+)\s+(.*)$/.exec(line) ?? [];
    if (name === 'FROM') {
      const [from = '', , as = ''] = value.split(/\s+/);
      current = { from, instructions: [] };
      stages.set(as, current);
    } else {
      current.instructions.push({ name, value });
    }
  }
  return stages;
}

const stages = parseDockerfile(text);

function valuesOf(stage: string, name: string): string[] {
  return (stages.get(stage)?.instructions ?? []).filter((instruction) => instruction.name === name).map(({ value }) => value);
}

/** `a="b c" d="e"` */
function parsePairs(value: string, variables: Readonly<Record<string, string>>): Record<string, string> {
  const pairs = [...value.matchAll(/(\S+?)="([^"]*)"/g)];
  return Object.fromEntries(
    pairs.map(([, key = '', quoted = '']) => [key, quoted.replace(/\$\{(\w+)\}/, (_, name: string) => variables[name] ?? '')]),
  );
}

describe.each(Object.keys(IMAGES) as ImageName[])('the Dockerfile and the assembled image %s', (image) => {
  const config = imageConfig(image, { version: packageJson.version, revision: null });

  test('have the same parts in the same order, on nothing else', () => {
    expect(stages.get(image)?.from).toBe('scratch');
    const copied = valuesOf(image, 'COPY').map((value) => /^--from=\w+ \/parts\/(\w+)\/ \/$/.exec(value)?.[1] ?? value);
    expect(copied).toEqual([...IMAGES[image]]);
    // What is copied is what that stage has made.
    for (const value of valuesOf(image, 'COPY')) {
      const [, stage = '', part = ''] = /^--from=(\w+) \/parts\/(\w+)\//.exec(value) ?? [];
      expect(valuesOf(stage, 'RUN').join('\n')).toMatch(new RegExp(`build-images\\.ts --tree /parts .*\\b${part}\\b`));
    }
  });

  test('have the same entry point, environment, user, folder and labels', () => {
    expect(valuesOf(image, 'ENTRYPOINT').map((value) => JSON.parse(value) as unknown)).toEqual([config.entrypoint]);
    expect(valuesOf(image, 'ENV')).toEqual(config.env);
    expect(valuesOf(image, 'USER')).toEqual([config.user]);
    expect(valuesOf(image, 'WORKDIR')).toEqual([config.workingDirectory]);
    const [, version = ''] = /^VERSION=(.*)$/.exec(valuesOf(image, 'ARG')[0] ?? '') ?? [];
    expect(parsePairs(valuesOf(image, 'LABEL')[0] ?? '', { VERSION: version })).toEqual(config.labels);
    expect(valuesOf(image, 'CMD')).toEqual([]);
  });

  test('an image without shell runs nothing while it is built', () => {
    expect(valuesOf(image, 'RUN')).toEqual([]);
  });
});

test('every image that the Dockerfile builds from is pinned', () => {
  const pinned = valuesOf('', 'ARG');
  expect(pinned).toHaveLength(2);
  for (const base of pinned) expect(base).toMatch(/^\w+=docker\.io\/library\/(node:24|golang:1)\.\d+\.\d+-bookworm@sha256:[0-9a-f]{64}$/);
  const names = new Set([...stages.keys(), 'scratch', '${NODE_IMAGE}', '${GO_IMAGE}']);
  for (const { from } of stages.values()) expect(names).toContain(from);
});
