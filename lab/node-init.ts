import { fileURLToPath } from 'node:url';

/** The script that a node's process 1 runs. */
export const NODE_INIT = fileURLToPath(new URL('node-init.sh', import.meta.url));
