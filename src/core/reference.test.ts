import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  formatImageReference,
  imageIdKey,
  parseDigest,
  parseImageId,
  parseImageReference,
  repositoryName,
  sameImageId,
  type ReferenceErrorCode,
} from './reference.ts';

const HEX = 'ab01'.repeat(16);
const DIGEST = `sha256:${HEX}`;
const SHA512 = `sha512:${HEX}${HEX}`;

const component = fc.stringMatching(/^[a-z0-9]{1,4}((\.|_|__|-{1,3})[a-z0-9]{1,3}){0,2}$/);
const host = fc.oneof(
  fc.constantFrom('localhost', 'docker.io', 'index.docker.io', 'Foo.com', '[::1]', '[2001:db8::1]:5000'),
  fc.stringMatching(/^[a-zA-Z0-9]{1,5}(-{1,2}[a-zA-Z0-9]{1,3})?\.[a-zA-Z0-9]{1,4}(:[0-9]{1,5})?$/),
  fc.stringMatching(/^[a-zA-Z0-9]{1,6}:[0-9]{1,5}$/),
);
const optional = (text: fc.Arbitrary<string>): fc.Arbitrary<string> => fc.oneof(fc.constant(''), text);
/** Everything that the grammar makes, within 255 characters. */
const validReferenceText = fc
  .tuple(
    optional(host.map((text) => `${text}/`)),
    fc.array(component, { minLength: 1, maxLength: 5 }).map((components) => components.join('/')),
    optional(fc.stringMatching(/^\w[\w.-]{0,127}$/).map((tag) => `:${tag}`)),
    optional(fc.constantFrom(`@${DIGEST}`, `@${SHA512}`)),
  )
  .map((parts) => parts.join(''));
const pieces = [
  'a',
  'B',
  '0',
  'localhost',
  'docker.io',
  'index.docker.io',
  'library',
  '.',
  '_',
  '-',
  '/',
  ':',
  '@',
  '[::1]',
  DIGEST,
  HEX,
  ' ',
  'é',
];
const anyReferenceText = fc.oneof(
  validReferenceText,
  fc.string(),
  fc.array(fc.constantFrom(...pieces), { maxLength: 10 }).map((parts) => parts.join('')),
);

function normalForm(text: string): string {
  const parsed = parseImageReference(text);
  if (!parsed.ok) throw new Error(`${text}: ${parsed.message}`);
  return formatImageReference(parsed.reference);
}

// The cases of distribution/reference (reference_test.go, normalize_test.go).
describe('parseImageReference', () => {
  it.each([
    ['nginx', 'docker.io/library/nginx'],
    ['nginx:1.25', 'docker.io/library/nginx:1.25'],
    ['docker.io/nginx', 'docker.io/library/nginx'],
    ['index.docker.io/nginx', 'docker.io/library/nginx'],
    ['index.docker.io/acme/app', 'docker.io/acme/app'],
    ['library/foo/bar', 'docker.io/library/foo/bar'],
    ['acme/app:v1', 'docker.io/acme/app:v1'],
    ['test_com', 'docker.io/library/test_com'],
    ['test.com:5000', 'docker.io/library/test.com:5000'],
    ['192.168.1.1:5000', 'docker.io/library/192.168.1.1:5000'],
    ['192.168.1.1:5000/repo:5050', '192.168.1.1:5000/repo:5050'],
    ['test:5000/repo', 'test:5000/repo'],
    ['localhost/fooo', 'localhost/fooo'],
    ['localhost:5000/a/b:c', 'localhost:5000/a/b:c'],
    ['[2001:db8::1]/repo', '[2001:db8::1]/repo'],
    ['[::1]:5000/repo:tag', '[::1]:5000/repo:tag'],
    ['xn--n3h.com/myimage:xn--n3h.com', 'xn--n3h.com/myimage:xn--n3h.com'],
    ['b.gcr.io/test.example.com/my-app:test.example.com', 'b.gcr.io/test.example.com/my-app:test.example.com'],
    ['foo/foo_bar.com:8080', 'docker.io/foo/foo_bar.com:8080'],
    ['foo_bar.com/app', 'foo_bar.com/app'],
    ['docker---rules/dock__er', 'docker.io/docker---rules/dock__er'],
    ['lowercase:Uppercase', 'docker.io/library/lowercase:Uppercase'],
    [`docker.io/${HEX}`, `docker.io/library/${HEX}`],
    [`ghcr.io/acme/app@${DIGEST}`, `ghcr.io/acme/app@${DIGEST}`],
    [`app:tag@${DIGEST}`, `docker.io/library/app:tag@${DIGEST}`],
    [`app@${SHA512}`, `docker.io/library/app@${SHA512}`],
    [`app:${'t'.repeat(128)}`, `docker.io/library/app:${'t'.repeat(128)}`],
    [`example.com/${'a'.repeat(255)}:tag`, `example.com/${'a'.repeat(255)}:tag`],
  ])('%s is %s', (text, normal) => {
    expect(normalForm(text)).toBe(normal);
  });

  it('takes upper case in a registry with a domain or a port, and nowhere else in a name', () => {
    expect(normalForm('Foo.com/bar')).toBe('Foo.com/bar');
    expect(normalForm('Foo:80/bar')).toBe('Foo:80/bar');
    expect(parseImageReference('Foo/bar')).toMatchObject({ ok: false, code: 'uppercase-name' });
  });

  const refused: [string, ReferenceErrorCode][] = [
    ['', 'empty'],
    [HEX, 'image-id'],
    [DIGEST, 'image-id'],
    ['Uppercase:tag', 'uppercase-name'],
    ['test:5000/Uppercase/lowercase:tag', 'uppercase-name'],
    ['docker/Docker', 'uppercase-name'],
    [':justtag', 'invalid-name'],
    ['@' + DIGEST, 'invalid-name'],
    ['-docker', 'invalid-name'],
    ['-docker-/docker', 'invalid-name'],
    ['docker///docker', 'invalid-name'],
    ['docker/', 'invalid-name'],
    ['dock..er/docker', 'invalid-registry'],
    ['dock..er/docker', 'invalid-registry'],
    ['a___b', 'invalid-name'],
    ['aa/asdf$$^/aa', 'invalid-name'],
    ['[2001:db8::1]', 'invalid-name'],
    ['-docker.io/docker/docker', 'invalid-registry'],
    ['https://github.com/docker/docker', 'invalid-registry'],
    ['fc00::1:5000/debian', 'invalid-registry'],
    ['[fe80::1%eth0]:5000/repo', 'invalid-registry'],
    ['[2001:db8:3:4::192.0.2.33]:5000/debian', 'invalid-registry'],
    [`example.com/${'a'.repeat(256)}`, 'name-too-long'],
    [`foo_bar.com/${'a'.repeat(250)}`, 'name-too-long'],
    [`app:${'t'.repeat(129)}`, 'invalid-tag'],
    ['app:', 'invalid-tag'],
    ['app:.1', 'invalid-tag'],
    ['app:a\n', 'invalid-tag'],
    ['app@sha256:ffff', 'invalid-digest'],
    [`app@sha256:${'f'.repeat(34)}`, 'invalid-digest'],
    [`app@sha512:${HEX}`, 'invalid-digest'],
    [`app@${DIGEST}0`, 'invalid-digest'],
    [`app@sha256:${HEX.toUpperCase()}`, 'invalid-digest'],
    [`app@md5:${HEX}`, 'invalid-digest'],
    [`app@${DIGEST}@${DIGEST}`, 'invalid-digest'],
  ];
  it.each(refused)('refuses %j: %s', (text, code) => {
    expect(parseImageReference(text)).toMatchObject({ ok: false, code });
  });

  it('names in its message the part that is wrong, cut where it is long', () => {
    const parsed = parseImageReference(`app:${'*'.repeat(4096)}`);
    expect(parsed).toMatchObject({ ok: false, message: expect.stringMatching(/^the tag "\*{80}…" is not valid: allowed are/) as string });
  });

  it('parses everything that the grammar makes', () => {
    fc.assert(fc.property(validReferenceText, (text) => parseImageReference(text).ok));
  });

  it('reads its own normal form as the same reference', () => {
    fc.assert(
      fc.property(anyReferenceText, (text) => {
        const parsed = parseImageReference(text);
        if (parsed.ok) expect(parseImageReference(formatImageReference(parsed.reference))).toEqual(parsed);
      }),
    );
  });

  it('takes time linear in the length, whatever the text', () => {
    const started = performance.now();
    for (const unit of ['a', 'a-', 'a_', 'a.', 'a/', '[:', 'a:', 'A', '__']) parseImageReference(`${unit.repeat(100_000)}!`);
    expect(performance.now() - started).toBeLessThan(1_000);
  });
});

describe('repositoryName', () => {
  it('is the registry and the path', () => {
    expect(repositoryName({ registry: 'ghcr.io', repository: 'acme/app' })).toBe('ghcr.io/acme/app');
  });
});

describe('image ids', () => {
  it('are equal with and without sha256:', () => {
    expect(parseImageId(DIGEST)).toBe(HEX);
    expect(parseImageId(HEX)).toBe(HEX);
    expect(imageIdKey(DIGEST)).toBe(imageIdKey(HEX));
    expect(sameImageId(DIGEST, HEX)).toBe(true);
    expect(sameImageId(DIGEST, HEX.replaceAll('a', 'b'))).toBe(false);
  });

  it.each(['', 'nginx', HEX.slice(1), `${HEX}0`, HEX.toUpperCase(), `sha256:sha256:${HEX}`, `app@${DIGEST}`, SHA512])(
    '%s is none',
    (text) => {
      expect(parseImageId(text)).toBeNull();
    },
  );
});

describe('parseDigest', () => {
  it('takes bare hex for sha256', () => {
    expect(parseDigest(HEX)).toBe(DIGEST);
    expect(parseDigest(SHA512)).toBe(SHA512);
    expect(parseDigest('nginx')).toBeNull();
  });
});
