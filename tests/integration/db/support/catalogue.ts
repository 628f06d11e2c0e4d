import type pg from 'pg';

/** Groups by the column that distributes them; `user` is the user's id, which chat_user itself calls `id`. */
const GROUPS: Readonly<Record<string, string>> = {
  conversation: 'id',
  member: 'conversation_id',
  entry: 'conversation_id',
  reaction: 'conversation_id',
  pin: 'conversation_id',
  entry_version: 'conversation_id',
  mention: 'conversation_id',
  outbox: 'conversation_id',
  chat_user: 'id',
  device: 'user_id',
  feed: 'user_id',
  block: 'user_id',
  scheduled: 'user_id',
  session_kick: 'user_id',
  app_log: 'app_id',
  app_entry: 'app_id',
};

/** Which group a table's column distributes it with. */
const GROUP_OF: Readonly<Record<string, 'conversation' | 'user' | 'app'>> = {
  conversation: 'conversation',
  member: 'conversation',
  entry: 'conversation',
  reaction: 'conversation',
  pin: 'conversation',
  entry_version: 'conversation',
  mention: 'conversation',
  outbox: 'conversation',
  chat_user: 'user',
  device: 'user',
  feed: 'user',
  block: 'user',
  scheduled: 'user',
  session_kick: 'user',
  app_log: 'app',
  app_entry: 'app',
};

/** Small tables that every node would hold whole. */
const REFERENCE = new Set(['app', 'app_key', 'database_identity']);
const NOT_OURS = new Set(['_prisma_migrations']);

/** Functions that other sessions call, with the type of their first argument: what routes the call. */
const ROUTED: Readonly<Record<string, string>> = {
  append_one: 'p_route uuid',
  append_few: 'p_route uuid',
  append_entries: 'p_route uuid',
  append_entries_v2: 'p_route uuid',
  create_conversation: 'p_route uuid',
  hide_direct: 'p_route uuid',
  mark_read: 'p_route uuid',
  delete_outbox: 'p_route uuid',
  apply_feed: 'p_route text',
  mark_delivered: 'p_route uuid',
  expire_entries: 'p_route uuid',
  retain_conversation: 'p_route uuid',
  mirror_block: 'p_route uuid',
  set_block: 'p_route text',
  insert_scheduled: 'p_route text',
};

/** What the server does of its own accord, for all apps. */
const JOBS = new Set(['delete_outbox', 'expire_entries', 'retain_conversation']);

/** Helpers of those functions, which touch what their caller hands them. */
const HELPERS = new Set([
  'append_conversation_update',
  'append_member_change',
  'append_member_change_v2',
  'append_message_act',
  'fold_reaction',
  'is_message',
  'judge_act',
  'judge_extra',
  'judge_message',
  'judge_message_v2',
  'mention_list',
  'put_mentions',
  'rfc3339',
  'wipe_entries',
]);

type Query = (sql: string) => Promise<pg.QueryResultRow[]>;

/** Reads pg_catalog and answers every breach of the rules that keep one PostgreSQL and a distributed one the same program. */
export async function violations(query: Query): Promise<string[]> {
  return [
    ...(await tables(query)),
    ...(await keys(query)),
    ...(await foreignKeys(query)),
    ...(await extras(query)),
    ...(await functions(query)),
  ];
}

async function tables(query: Query): Promise<string[]> {
  const rows = await query(
    `select c.relname as name, a.attname as col, a.attnotnull as notnull, a.attgenerated <> '' or a.attidentity <> '' as computed
     from pg_class c join pg_namespace n on n.oid = c.relnamespace join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
     where n.nspname = 'public' and c.relkind in ('r', 'p')`,
  );
  const names = new Set(rows.map((row) => String(row.name)));
  const found: string[] = [];
  for (const name of names) {
    if (NOT_OURS.has(name) || REFERENCE.has(name)) continue;
    const column = GROUPS[name];
    if (column === undefined) {
      found.push(`table ${name} belongs to no group`);
      continue;
    }
    const row = rows.find((item) => item.name === name && item.col === column);
    if (row === undefined) found.push(`table ${name} lacks its group's column ${column}`);
    else if (row.notnull !== true) found.push(`${name}.${column} may be null`);
  }
  for (const row of rows) if (row.computed === true) found.push(`${row.name}.${row.col} is an identity or generated column`);
  return found;
}

async function keys(query: Query): Promise<string[]> {
  const rows = await query(
    `select t.relname as "table", i.relname as "index", x.indisprimary as "primary",
       array(select a.attname::text from unnest(x.indkey::int2[]) k join pg_attribute a on a.attrelid = t.oid and a.attnum = k) as columns
     from pg_index x join pg_class i on i.oid = x.indexrelid join pg_class t on t.oid = x.indrelid join pg_namespace n on n.oid = t.relnamespace
     where n.nspname = 'public' and x.indisunique`,
  );
  const found: string[] = [];
  for (const { table, index, columns } of rows) {
    const column = GROUPS[String(table)];
    if (column !== undefined && !columns.includes(column)) found.push(`unique index ${index} lacks ${table}.${column}`);
  }
  for (const table of Object.keys(GROUPS)) {
    if (!rows.some((row) => row.table === table && row.primary === true)) found.push(`table ${table} has no primary key`);
  }
  return found;
}

async function foreignKeys(query: Query): Promise<string[]> {
  const rows = await query(
    `select k.conname as name, f.relname as "from", t.relname as "to", k.confupdtype as "onUpdate", k.confdeltype as "onDelete",
       array(select a.attname::text from unnest(k.conkey) with ordinality u (n, o) join pg_attribute a on a.attrelid = k.conrelid and a.attnum = u.n order by u.o) as columns,
       array(select a.attname::text from unnest(k.confkey) with ordinality u (n, o) join pg_attribute a on a.attrelid = k.confrelid and a.attnum = u.n order by u.o) as targets
     from pg_constraint k join pg_class f on f.oid = k.conrelid join pg_class t on t.oid = k.confrelid
     join pg_namespace n on n.oid = f.relnamespace where k.contype = 'f' and n.nspname = 'public'`,
  );
  const found: string[] = [];
  for (const { name, from, to, onUpdate, onDelete, columns, targets } of rows) {
    if (onUpdate !== 'a' || onDelete !== 'a') found.push(`foreign key ${name} acts on update or delete`);
    if (REFERENCE.has(to)) continue;
    if (REFERENCE.has(from)) found.push(`foreign key ${name} leads from a reference table into a group`);
    else if (GROUP_OF[from] !== GROUP_OF[to]) found.push(`foreign key ${name} leads from ${from} into another group, ${to}`);
    else if (columns.indexOf(GROUPS[from]) < 0 || columns.indexOf(GROUPS[from]) !== targets.indexOf(GROUPS[to])) {
      found.push(`foreign key ${name} does not carry the group's column`);
    }
  }
  return found;
}

async function extras(query: Query): Promise<string[]> {
  const rows = await query(
    `select 'trigger ' || t.tgname as what from pg_trigger t join pg_class c on c.oid = t.tgrelid join pg_namespace n on n.oid = c.relnamespace
       where not t.tgisinternal and n.nspname = 'public'
     union all select 'rule ' || r.rulename from pg_rewrite r join pg_class c on c.oid = r.ev_class join pg_namespace n on n.oid = c.relnamespace
       where n.nspname = 'public' and c.relkind <> 'v'
     union all select 'sequence ' || c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace where n.nspname = 'public' and c.relkind = 'S'`,
  );
  return rows.map((row) => `${row.what} is not allowed`);
}

async function functions(query: Query): Promise<string[]> {
  const rows = await query(
    `select p.proname as name, pg_get_function_identity_arguments(p.oid) as args, coalesce(p.prosrc, '') as body, coalesce(p.proconfig, '{}') as config, l.lanname as language
     from pg_proc p join pg_namespace n on n.oid = p.pronamespace join pg_language l on l.oid = p.prolang where n.nspname = 'public'`,
  );
  const found: string[] = [];
  for (const { name, args, body, config, language } of rows) {
    if (/\b(notify|listen|pg_notify)\b/i.test(body)) found.push(`function ${name} uses LISTEN/NOTIFY`);
    if (/skip\s+locked/i.test(body)) found.push(`function ${name} uses SKIP LOCKED`);
    const columns = [...new Set(Object.values(GROUPS))].filter((column) => column !== 'id').join('|');
    if (new RegExp(`\\bset\\s+(${columns})\\s*=`, 'i').test(body)) found.push(`function ${name} updates a group's column`);
    if (HELPERS.has(name)) continue;
    const route = ROUTED[name];
    if (route === undefined) found.push(`function ${name} is neither routed nor a known helper`);
    else if (!String(args).startsWith(route)) found.push(`function ${name} does not take ${route} first`);
    else if (language === 'plpgsql' && !config.includes('plan_cache_mode=force_generic_plan'))
      found.push(`function ${name} does not pin its plans`);
    if (route !== undefined && !JOBS.has(name) && !/\bp_app text/.test(args)) found.push(`function ${name} does not take the caller's app`);
  }
  return found;
}
