import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { digest, image, imageId } from '../../test/fakes/images.ts';
import { formatImages, parseImages } from './hand-over-message.ts';

describe('the list of images between the containers', () => {
  test('has the form that scanners of Eraser read', () => {
    const two = image(2, { repoTags: [], repoDigests: [`docker.io/library/two@${digest(2)}`] });
    expect(JSON.parse(formatImages([image(1), two]))).toEqual([
      { image_id: imageId(1), names: ['docker.io/library/image-1:1'], digests: [] },
      { image_id: imageId(2), names: [], digests: [digest(2)] },
    ]);
    expect(formatImages([])).toBe('[]');
  });

  test('is read as such scanners write it: without what is empty, or with null for it, and with fields that are not known', () => {
    const text = `[{"image_id":"a"},{"image_id":"b","names":null,"digests":null},{"image_id":"c","names":["n"],"digests":["d"],"score":7}]\n`;
    expect(parseImages(text, 'test')).toEqual([
      { imageId: 'a', names: [], digests: [] },
      { imageId: 'b', names: [], digests: [] },
      { imageId: 'c', names: ['n'], digests: ['d'] },
    ]);
    for (const nothing of ['null', '[]', 'null\n']) expect(parseImages(nothing, 'test')).toEqual([]);
  });

  test.each([
    ['nothing at all', ''],
    ['no JSON', 'complete'],
    ['no list', '{}'],
    ['a text', '"sha256:…"'],
    ['ids alone', '["sha256:…"]'],
    ['an image without an id', '[{"image_id":"a"},{"names":["n"]}]'],
    ['an image with an empty id', '[{"image_id":""}]'],
    ['an id that is none', '[{"image_id":7}]'],
    ['names that are none', '[{"image_id":"a","names":"n"}]'],
    ['two lists', '[{"image_id":"a"}][{"image_id":"b"}]'],
  ])('%s is refused whole', (_what, text) => {
    expect(() => parseImages(text, 'scanErase')).toThrow(/^the message of scanErase is refused: /);
  });

  test('no beginning of a list, as a writer leaves that dies midway, is taken for a list', () => {
    const names = fc.array(fc.string(), { maxLength: 3 });
    const images = fc.array(fc.record({ image_id: fc.string({ minLength: 1 }), names, digests: names }), { maxLength: 4 });
    fc.assert(
      fc.property(images, fc.nat(), (list, cut) => {
        const text = JSON.stringify(list);
        expect(parseImages(text, 'test')).toHaveLength(list.length);
        expect(() => parseImages(text.slice(0, cut % text.length), 'test')).toThrow(/refused/);
      }),
    );
  });
});
