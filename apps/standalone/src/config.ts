import { type Config, type Environment, readConfig } from '@nudge/server-kit';

/** Configuration of the newcomer's default: every variable of the product, with the port and the log lines a first look expects. */
export function readStandaloneConfig(env: Environment): Config {
  return readConfig({ ...env, PORT: env.PORT || '4000', LOG_FORMAT: env.LOG_FORMAT || (process.stdout.isTTY ? 'pretty' : 'json') });
}
