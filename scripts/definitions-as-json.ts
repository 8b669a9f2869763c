import type { Plugin } from 'esbuild';
import { makeDefinitions } from '../src/installation/make-definitions.ts';

/** The definitions of the kinds, made of their schemas when we build: the program needs no code that makes them. */
export const definitionsAsJson: Plugin = {
  name: 'definitions-as-json',
  setup: (bundling) => {
    bundling.onLoad({ filter: /\/src\/installation\/make-definitions\.ts$/ }, () => ({
      contents: `const definitions = ${JSON.stringify(JSON.stringify(makeDefinitions()))};\nexport const makeDefinitions = () => JSON.parse(definitions);`,
    }));
  },
};
