import { stringify } from 'yaml';
import { escaped } from './escaped.ts';
import { isList, type OutputDocument } from './output-document.ts';

const YAML_OPTIONS = { aliasDuplicateObjects: false, indentSeq: false } as const;
/** The one form of text in YAML that has escapes. */
const QUOTED = { ...YAML_OPTIONS, defaultStringType: 'QUOTE_DOUBLE', defaultKeyType: 'PLAIN', blockQuote: false } as const;

function yaml(value: unknown): string {
  const text = stringify(value, YAML_OPTIONS);
  return escaped(text) === text ? text : escaped(stringify(value, QUOTED));
}

/** In pieces of one item of a list each, as `jsonPieces`; together one document. */
export function* yamlPieces(document: OutputDocument): Generator<string> {
  if (isList(document)) {
    if (document.length === 0) yield '[]\n';
    for (const item of document) yield yaml([item]);
    return;
  }
  for (const [key, value] of Object.entries(document)) {
    if (!isList(value) || value.length === 0) yield yaml({ [key]: value });
    else {
      yield `${key}:\n`;
      for (const item of value) yield yaml([item]);
    }
  }
}
