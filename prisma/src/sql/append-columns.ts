/**
 * What every append answers of each input. How long slow mode makes its sender wait (ms) is told by the clock that `retry_at` is of: another
 * machine's may differ.
 */
export const appendColumns = `status, seq, created_at as "createdAt", member_version as "memberVersion", member_count as "memberCount",
    conversation_type as "conversationType", retry_at as "retryAt",
    case when retry_at is not null then ceil(extract(epoch from retry_at::timestamptz - clock_timestamp()) * 1000)::bigint end as "retryInMs",
    read_seq as "readSeq"`;
