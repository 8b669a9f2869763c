/** The configmap, in the manager's own namespace, of what has to outlive jobs and controllers. */
export const STATE_CONFIG_MAP = 'eraser-manager-state';
