/** An import with both ends resolved: files of this repository by their path, others as `npm:express` or `node:fs`. */
export interface Edge {
  readonly from: string;
  readonly to: string;
  readonly typeOnly: boolean;
}

export interface Rule {
  readonly name: string;
  readonly why: string;
  forbids(edge: Edge): boolean;
}

const ours = /^(apps|packages|prisma|tests|bench|scripts)\//;
const unitTest = /\.(test|fixture)\.ts$/;
const edges = /^apps\/[^/]+\/src\/(routes|socket)\//;
const services = /^apps\/[^/]+\/src\/services\//;
const store = /^apps\/[^/]+\/src\/store\//;
const singleApp = /^apps\/(?!standalone\/)([^/]+)\/src\//;
/** Files directly in `src/` put an app together. */
const composition = /^apps\/[^/]+\/src\/[^/]+\.ts$/;
const launcher = /^apps\/[^/]+\/src\/main\.ts$/;
const transports = /^npm:(express|socket\.io|engine\.io|ws)$/;
const drivers = /^npm:(pg|prisma|@prisma\/.+)$/;

/** Files of `from` may import, of this repository, only files of `to`. */
function local(name: string, from: RegExp, to: RegExp, why: string): Rule {
  return { name, why, forbids: (edge) => from.test(edge.from) && ours.test(edge.to) && !to.test(edge.to) };
}

/** Files of `from`, their unit tests excepted, may import from outside of this repository only `to`. */
function external(name: string, from: RegExp, to: RegExp, why: string): Rule {
  return { name, why, forbids: (edge) => from.test(edge.from) && !unitTest.test(edge.from) && !ours.test(edge.to) && !to.test(edge.to) };
}

/** Files of `from`, their unit tests excepted, may not import `to`; `erased` lets types through. */
function never(name: string, from: RegExp, to: RegExp, why: string, erased: 'types too' | 'types may' = 'types too'): Rule {
  return {
    name,
    why,
    forbids: (edge) => from.test(edge.from) && !unitTest.test(edge.from) && to.test(edge.to) && !(edge.typeOnly && erased === 'types may'),
  };
}

/** The dependency direction of ARCHITECTURE.md. */
export const rules: readonly Rule[] = [
  local('types-stands-alone', /^packages\/types\//, /^packages\/types\//, 'the wire contract depends on nothing of ours'),
  external('types-needs-zod-only', /^packages\/types\//, /^npm:zod$/, 'the wire contract runs everywhere'),
  local(
    'client-knows-types-only',
    /^packages\/client\//,
    /^packages\/(client|types)\//,
    'the client knows the wire contract, never a server',
  ),
  external('client-is-isomorphic', /^packages\/client\//, /^npm:socket\.io-client$/, 'the client runs in browsers'),
  local('db-stands-alone', /^prisma\//, /^prisma\//, 'a row is not a wire type'),
  external('db-needs-prisma-and-pg-only', /^prisma\//, /^(node:|npm:(pg|prisma|@prisma\/.+)$)/, 'Prisma and pg are all the database needs'),
  local(
    'server-kit-knows-types-only',
    /^packages\/server-kit\//,
    /^packages\/(server-kit|types)\//,
    'what apps share knows no app and no database',
  ),
  {
    name: 'apps-stand-apart',
    why: 'only the standalone composes apps, and an app never needs the client',
    forbids: ({ from, to }) => {
      const app = /^apps\/(?!standalone\/)([^/]+)\//.exec(from)?.[1];
      if (app === undefined || !ours.test(to)) return false;
      return !to.startsWith(`apps/${app}/`) && !/^(packages\/(types|server-kit)|prisma)\//.test(to);
    },
  },
  local(
    'standalone-composes-servers',
    /^apps\/standalone\/src\/(?!(demo|page)\/)/,
    /^(apps|packages\/(types|server-kit)|prisma)\//,
    'only the demo and the page speak as clients',
  ),
  {
    name: 'nothing-imports-tests',
    why: 'tests sees everything and nothing sees it',
    forbids: ({ from, to }) => /^(apps|packages|prisma|scripts|bench)\//.test(from) && to.startsWith('tests/'),
  },
  {
    name: 'nothing-imports-bench',
    why: 'bench sees everything and nothing sees it',
    forbids: ({ from, to }) => /^(apps|packages|prisma|scripts|tests)\//.test(from) && to.startsWith('bench/'),
  },
  never('only-main-starts', /./, launcher, 'a launcher holds no logic'),
  never('services-know-no-transport', services, transports, 'services throw domain errors; only the edges know how they travel'),
  never('store-knows-no-transport', store, transports, 'the store answers services'),
  never('services-look-down', services, edges, 'routes | socket -> services'),
  never('services-do-not-compose', services, composition, 'the composition hands services what they need'),
  never(
    'store-looks-down',
    store,
    /^apps\/[^/]+\/src\/(routes|socket|services)\//,
    'services -> store; it may implement an interface of theirs',
    'types may',
  ),
  never('store-does-not-compose', store, composition, 'the composition hands the store its pools', 'types may'),
  never('edges-go-through-services', edges, store, 'routes | socket -> services -> store'),
  never('edges-do-not-compose', edges, composition, 'the composition mounts the edges', 'types may'),
  {
    name: 'only-the-store-uses-the-database',
    why: 'inside an app store/ runs the statements and the composition opens the pools; types may travel',
    forbids: ({ from, to, typeOnly }) =>
      !typeOnly && singleApp.test(from) && !store.test(from) && !composition.test(from) && !unitTest.test(from) && to.startsWith('prisma/'),
  },
  never('drivers-stay-in-the-database', /^(apps\/(?!standalone\/)|packages\/)/, drivers, 'rows come from @nudge/db', 'types may'),
];
