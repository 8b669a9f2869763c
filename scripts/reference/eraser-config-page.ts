import * as z from 'zod';
import type { TextParsers } from '../../src/api/eraser-config/config-values.ts';
import { v1alpha1Schema, v1alpha2Schema, v1alpha3Schema } from '../../src/api/eraser-config/config-versions.ts';
import { trivyConfigSchema } from '../../src/api/eraser-config/trivy-config.ts';
import { parseDuration } from '../../src/platform/duration.ts';
import { parseQuantity } from '../../src/platform/quantity.ts';
import { parseYaml } from '../../src/platform/parse-yaml.ts';
import { fieldRows, type FieldRow, type FieldSchema } from './field-rows.ts';
import { fieldTable, markdownTable } from './field-table.ts';

const PARSERS: TextParsers = { duration: parseDuration, quantity: parseQuantity, yaml: parseYaml };

/** The reference page of `EraserConfig`, in Markdown. */
export function eraserConfigPage(): string {
  const current = rowsOf(v1alpha3Schema(PARSERS));
  const older = { v1alpha2: rowsOf(v1alpha2Schema(PARSERS)), v1alpha1: rowsOf(v1alpha1Schema(PARSERS)) };
  return `# EraserConfig

The configuration of the manager, in the form of Eraser: a file, or the text under the key \`controller_manager_config.yaml\` of the ConfigMap
\`eraser-manager-config\`. What of it counts on one machine is in [configuration.md](../configuration.md).

A key without a value has its default. A key that is not known is an error. A duration is a number with a unit, or several (\`30s\`, \`1h30m\`,
\`7d\`); a quantity is one of Kubernetes (\`500Mi\`, \`100m\`).

## Fields of eraser.sh/v1alpha3

${fieldTable(current)}

## Fields of components.scanner.config

For our scanner, and for Eraser's, whose place it takes.

${fieldTable(rowsOf(trivyConfigSchema(PARSERS)))}

## Older versions

${markdownTable(
  ['version', 'has', 'and not'],
  Object.entries(older).map(([version, rows]) => [
    `\`eraser.sh/${version}\``,
    listOf(differing(rows, current)),
    listOf(differing(current, rows)),
  ]),
)}
`;
}

function rowsOf(schema: z.ZodType): FieldRow[] {
  // Quantities, which are a text or a number, have no type in JSON Schema; their metadata says what they are.
  return fieldRows(z.toJSONSchema(schema, { target: 'openapi-3.0', io: 'input', unrepresentable: 'any' }) as FieldSchema);
}

/** The fields that the others lack or have of another type, without those below one of them. */
function differing(rows: readonly FieldRow[], others: readonly FieldRow[]): FieldRow[] {
  const kinds = new Map(others.map(({ path, type }) => [path, type]));
  const found = rows.filter(({ path, type }) => path !== 'apiVersion' && kinds.get(path) !== type);
  return found.filter(({ path }) => !found.some((above) => path.startsWith(`${above.path}.`)));
}

function listOf(rows: readonly FieldRow[]): string {
  return rows.map(({ path, type }) => `\`${path}\` (${type})`).join('; ');
}
