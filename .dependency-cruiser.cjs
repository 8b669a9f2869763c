// The import boundaries between the rooms of src/ (ARCHITECTURE.md, "Rooms"): what a room may import is listed, all else is refused.
const rooms = {
  platform: [],
  api: [],
  core: ['api'],
  cri: ['api', 'platform'],
  kube: ['api', 'platform'],
  scan: ['api', 'platform'],
  store: ['api', 'platform'],
  engine: ['api', 'core', 'platform'],
  controller: ['api', 'core', 'platform'],
  coordinator: ['api', 'core', 'platform'],
  worker: ['api', 'core', 'platform', 'engine'],
  installation: ['api', 'kube'],
  cluster: ['api', 'core', 'platform', 'kube', 'installation'],
  cli: ['api', 'core', 'platform', 'cri', 'scan', 'store', 'engine', 'kube', 'installation', 'cluster'],
};
// What of a room binds real adapters, and so may import any room.
const binders = { controller: '^src/controller/(main\\.ts$|bind/)', worker: '^src/worker/(main\\.ts$|bind/)' };
// Packages a room may import; a room that is not named may import none but Node's own modules.
const packages = {
  api: ['zod'],
  core: ['croner', 'semver'],
  platform: ['yaml', 'zod'],
  cri: ['@bufbuild/protobuf', 'yaml', 'zod'],
  kube: ['@kubernetes/client-node', 'jose', 'undici', 'zod'],
  scan: ['@bufbuild/protobuf', 'zod'],
  store: ['kysely', 'pg', 'zod'],
  engine: ['p-queue'],
  controller: ['zod'],
  coordinator: ['p-queue', 'zod'],
  worker: ['p-queue', 'zod'],
  cluster: ['semver', 'yaml', 'zod'],
  cli: ['commander', 'yaml', 'zod'],
};
const escaped = (names) => names.map((name) => name.replaceAll(/[/.]/g, '\\$&')).join('|');

module.exports = {
  forbidden: [
    { name: 'no-circular', severity: 'error', from: {}, to: { circular: true } },
    { name: 'no-orphans', severity: 'error', from: { orphan: true, path: '^src/', pathNot: '\\.d\\.ts$' }, to: {} },
    { name: 'not-to-test', severity: 'error', from: { path: '^src/', pathNot: '\\.test\\.ts$' }, to: { path: '^(test|lab|scripts)/' } },
    { name: 'tests-are-leaves', severity: 'error', from: {}, to: { path: '\\.test\\.ts$' } },
    { name: 'no-unlisted-room', severity: 'error', from: { path: '^src/', pathNot: `^src/(${Object.keys(rooms).join('|')})/` }, to: {} },
    { name: 'core-is-pure', severity: 'error', from: { path: '^src/core/', pathNot: '\\.test\\.ts$' }, to: { dependencyTypes: ['core'] } },
    ...Object.entries(rooms).map(([room, allowed]) => ({
      name: `room-${room}`,
      severity: 'error',
      from: { path: `^src/${room}/`, pathNot: ['\\.test\\.ts$', ...(binders[room] === undefined ? [] : [binders[room]])] },
      to: { path: '^src/', pathNot: `^src/(${[room, ...allowed].join('|')})/` },
    })),
    ...Object.keys(rooms).map((room) => ({
      name: `packages-${room}`,
      severity: 'error',
      from: { path: `^src/${room}/`, pathNot: '\\.test\\.ts$' },
      to: { path: '^node_modules/', pathNot: `^node_modules/(${escaped(packages[room] ?? ['-none-'])})/` },
    })),
  ],
  options: {
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    doNotFollow: { path: 'node_modules' },
    exclude: { path: 'src/(cri|scan)/gen/.*\\.d\\.ts$' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'default', 'types'] },
  },
};
