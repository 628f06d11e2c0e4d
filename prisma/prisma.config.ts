import { defineConfig } from 'prisma/config';

/** For `prisma generate` and `prisma format`. Databases are migrated by `npm run db:migrate`, which does not read this. */
export default defineConfig({ schema: 'schema.prisma', migrations: { path: 'migrations' } });
