/** The configmap of what has to outlive jobs and managers, and the key. */
export const STATE_CONFIG_MAP = 'eraser-manager-state';
export const STATE_KEY = 'state.json';
