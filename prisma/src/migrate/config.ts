/** What the migration command reads from the environment. */
export function readMigrateConfig(env: NodeJS.ProcessEnv = process.env): { connectionString: string } {
  const connectionString = env.DATABASE_URL;
  if (connectionString === undefined || connectionString === '') {
    throw new Error('DATABASE_URL is not set: name the database to migrate (postgres://user:password@host:5432/name)');
  }
  return { connectionString };
}
