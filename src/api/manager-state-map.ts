/** The configmap of what has to outlive jobs and controllers. The manager alone writes it. */
export const STATE_CONFIG_MAP = 'eraser-manager-state';
export const STATE_KEY = 'state.json';
