import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { commandsPage } from './reference/commands-page.ts';
import { programToDescribe } from './reference/program-to-describe.ts';

/** Makes docs/reference/commands.md from the commands of src/cli/. */
writeFileSync(fileURLToPath(new URL('../docs/reference/commands.md', import.meta.url)), commandsPage(programToDescribe()));
