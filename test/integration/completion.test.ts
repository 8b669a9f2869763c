import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { onPath } from '../../lab/debian-tools.ts';
import { runCommand } from '../../lab/run-command.ts';
import { ensureShells, type Shells } from '../../lab/shells.ts';
import { runCli } from './run-cli.ts';

/** What the shells themselves complete with the scripts of `image-cleaner completion`. */

let folder: string;
const COMMANDS = ['clean', 'list', 'explain', 'scan', 'history', 'doctor', 'cluster', 'completion', 'help'];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'image-cleaner-test-'));
  for (const shell of ['bash', 'zsh', 'fish']) {
    const { code, stdout } = await runCli(['completion', shell]);
    expect(code).toBe(0);
    await writeFile(join(folder, shell), stdout);
  }
  await writeFile(join(folder, 'a list.json'), '');
});
afterAll(() => rm(folder, { recursive: true }));

/** The commands of a group, by its own help. */
async function commandsOf(group: string): Promise<string[]> {
  const { stdout } = await runCli([group, '--help']);
  return [...stdout.matchAll(/^ {2}([a-z][\w-]*)/gm)].map(([, command = '']) => command).sort();
}

/** The options of a command, by its own help. */
async function optionsOf(command: string): Promise<string[]> {
  const { stdout } = await runCli([...command.split(' '), '--help']);
  return [...stdout.matchAll(/^ {2}(?:-\w, )?(--[\w-]+)/gm)].map(([, option = '']) => option).sort();
}

describe('bash', () => {
  const complete = async (...words: string[]): Promise<string[]> => {
    const line = 'source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _image_cleaner; printf "%s\\n" "${COMPREPLY[@]}"';
    const shown = await runCommand('bash', ['--norc', '-u', '-c', line, 'bash', join(folder, 'bash'), 'image-cleaner', ...words]);
    return shown.split('\n').filter((word) => word !== '');
  };

  test('commands, and only those that begin alike', async () => {
    expect(await complete('')).toEqual(expect.arrayContaining(COMMANDS));
    expect(await complete('cle')).toEqual(['clean']);
    expect(await complete('--ver')).toEqual(['--version']);
  });

  test('the commands of a group', async () => {
    const commands = (await complete('cluster', '')).sort();
    expect(commands).toEqual(await commandsOf('cluster'));
    expect(commands).toEqual(expect.arrayContaining(['help', 'version']));
    expect(await complete('cluster', 'ver')).toEqual(['verdicts', 'version']);
  });

  test.each(['clean', 'explain', 'history', 'doctor', 'cluster version'])('the options of %s are those of its help', async (command) => {
    const options = (await complete(...command.split(' '), '--')).sort();
    expect(options).toEqual(await optionsOf(command));
    expect(options.length).toBeGreaterThan(3);
  });

  test.each([
    [
      ['clean', '--output', ''],
      ['table', 'json', 'yaml'],
    ],
    [['clean', '--dry-run', '-o', 'j'], ['json']],
    [['clean', '--output', '=', 'ya'], ['yaml']],
    [
      ['clean', '--output', '='],
      ['table', 'json', 'yaml'],
    ],
    [
      ['clean', '--scanner', ''],
      ['trivy', 'none'],
    ],
    [
      ['completion', ''],
      ['bash', 'zsh', 'fish'],
    ],
    [['cluster', 'version', '--output', 'j'], ['json']],
    [['cluster', 'version', ''], []],
    [['clean', '--min-age', ''], []],
    [['clean', ''], []],
    [['nothing', ''], []],
  ])('the values that fit: %j', async (words, values) => {
    expect(await complete(...words)).toEqual(values);
  });

  test('files where a file is expected, folders where a folder is', async () => {
    expect(await complete('clean', '--exclude-file', join(folder, 'a'))).toEqual([join(folder, 'a list.json')]);
    expect(await complete('clean', '--trivy-cache-dir', join(folder, 'a'))).toEqual([]);
    expect(await complete('clean', '--trivy-cache-dir', folder)).toEqual([folder]);
  });
});

describe.skipIf(onPath('apt-get') === null)("Debian's other shells", () => {
  let shells: Shells;
  beforeAll(async () => {
    shells = await ensureShells(() => undefined);
  });

  describe('fish', () => {
    const complete = async (line: string): Promise<string[]> => {
      const { path, env } = shells.fish;
      const commands = `source ${join(folder, 'fish')}; complete -C '${line}'`;
      const shown = await runCommand(path, ['--no-config', '-c', commands], { env: { ...env, HOME: folder, PATH: '/usr/bin:/bin' } });
      return shown.split('\n').map((text) => text.replace(/\t.*$/, ''));
    };

    test.each([
      ['image-cleaner ', COMMANDS],
      ['image-cleaner clean --dry', ['--dry-run']],
      ['image-cleaner clean --output ', ['json', 'table', 'yaml']],
      ['image-cleaner completion ', ['bash', 'fish', 'zsh']],
      ['image-cleaner cluster ', ['version', 'help']],
      ['image-cleaner cluster version --output ', ['json', 'table', 'yaml']],
      ['image-cleaner cluster version --kube', ['--kubeconfig']],
    ])('%s', async (line, words) => {
      expect(await complete(line)).toEqual(expect.arrayContaining(words));
    });

    test('files where a file is expected, and only there', async () => {
      expect(await complete(`image-cleaner clean --exclude-file ${folder}/a`)).toContain(`${folder}/a list.json`);
      expect(await complete(`image-cleaner clean --min-age ${folder}/a`)).toEqual(['']);
    });
  });

  describe('zsh', () => {
    const script = fileURLToPath(new URL('complete-in-zsh.zsh', import.meta.url));
    const complete = (line: string): Promise<string> =>
      runCommand(join(shells.zshRoot, 'bin/zsh'), ['-f', script, shells.zshRoot, shells.zshModules, join(folder, 'zsh'), line], {
        env: { HOME: folder, PATH: '/usr/bin:/bin', TERM: 'xterm' },
        signal: AbortSignal.timeout(60_000),
      });

    test.each([
      ['image-cleaner ', COMMANDS],
      ['image-cleaner clean --dry', ['--dry-run']],
      ['image-cleaner clean --output ', ['json', 'table', 'yaml']],
      ['image-cleaner completion ', ['bash', 'fish', 'zsh']],
      ['image-cleaner cluster ', ['version', 'help']],
      ['image-cleaner cluster version --output ', ['json', 'table', 'yaml']],
      ['image-cleaner cluster version --kube', ['--kubeconfig']],
    ])('%s', async (line, words) => {
      const shown = await complete(line);
      for (const word of words) expect(shown).toContain(word);
      expect(shown).not.toContain('unmatched');
    });
  });
});
