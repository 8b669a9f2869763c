import { readFile } from 'node:fs/promises';
import { pathToFileURL } from 'node:url';
import type { DescFile } from '@bufbuild/protobuf';
import type { Plugin } from 'esbuild';

/**
 * Has the generated gRPC code carry its descriptors as JSON. They come as protobuf's own bytes, for which a program at its start would first make
 * the descriptors of descriptors, by far the largest of all: a tenth of the time of a short command.
 */
export const descriptorsAsJson: Plugin = {
  name: 'descriptors-as-json',
  setup: (bundling) => {
    bundling.onLoad({ filter: /\/src\/\w+\/gen\/\w+_pb\.js$/ }, async ({ path }) => {
      const generated = await readFile(path, 'utf8');
      const files = (await import(pathToFileURL(path).href)) as Readonly<Record<string, DescFile>>;
      const contents = generated.replace(FILE_DESCRIPTOR, (whole, name: string) => {
        const file = files[name];
        if (file === undefined || file.dependencies.length > 0) throw new Error(`${path}: ${whole.slice(0, 80)} is not understood`);
        return `const ${name} = /*@__PURE__*/ readDescriptor(${JSON.stringify(JSON.stringify(file.proto))})`;
      });
      if (contents === generated) throw new Error(`${path} has no descriptor`);
      return { contents: `${READ_DESCRIPTOR}\n${contents}` };
    });
  },
};

const FILE_DESCRIPTOR = /const (\w+) = \/\*@__PURE__\*\/\s+fileDesc\("[^"]*"\)/;

const READ_DESCRIPTOR = `
import { createFileRegistry } from '@bufbuild/protobuf';
function readDescriptor(json) {
  const proto = JSON.parse(json);
  return createFileRegistry(proto, () => undefined).getFile(proto.name);
}`;
