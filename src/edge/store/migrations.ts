/**
 * Steps from an empty file to the present shape, in order; a step once released is never changed. Times are microseconds since 1970,
 * `seq` is the frame that caused the row. Sides: 1 the buyer crossed, -1 the seller, null where the source does not say.
 */
export const MIGRATIONS: readonly string[] = [
  `CREATE TABLE progress(seq BIGINT NOT NULL, sampled VARCHAR NOT NULL);
   INSERT INTO progress VALUES (0, '[]');
   CREATE TABLE instruments(
     id USMALLINT PRIMARY KEY, instrument VARCHAR NOT NULL, venue VARCHAR NOT NULL, symbol VARCHAR NOT NULL,
     tick_size DOUBLE NOT NULL, lot_size DOUBLE NOT NULL);
   CREATE TABLE trades(
     seq BIGINT NOT NULL, ts_recv BIGINT NOT NULL, ts_event BIGINT NOT NULL, instrument USMALLINT NOT NULL,
     id BIGINT, id_text VARCHAR, price DOUBLE NOT NULL, size DOUBLE NOT NULL, side TINYINT,
     aggregate BOOLEAN NOT NULL, on_market BOOLEAN NOT NULL);
   CREATE TABLE bars(
     seq BIGINT NOT NULL, instrument USMALLINT NOT NULL, interval_micros BIGINT NOT NULL, start BIGINT NOT NULL,
     open DOUBLE NOT NULL, high DOUBLE NOT NULL, low DOUBLE NOT NULL, close DOUBLE NOT NULL, volume DOUBLE NOT NULL,
     buy_volume DOUBLE NOT NULL, sell_volume DOUBLE NOT NULL, trades BIGINT NOT NULL, vwap DOUBLE, backfilled BOOLEAN NOT NULL);
   CREATE TABLE depth(
     seq BIGINT NOT NULL, ts BIGINT NOT NULL, instrument USMALLINT NOT NULL, ${levels('bid')}, ${levels('ask')});
   CREATE TABLE measures(
     seq BIGINT NOT NULL, ts BIGINT NOT NULL, instrument USMALLINT NOT NULL, mid DOUBLE NOT NULL, spread DOUBLE NOT NULL,
     spread_bps DOUBLE NOT NULL, weighted_mid DOUBLE NOT NULL, obi DOUBLE NOT NULL, weighted_obi DOUBLE NOT NULL,
     bid_depth_10 DOUBLE NOT NULL, ask_depth_10 DOUBLE NOT NULL, ofi DOUBLE NOT NULL);
   CREATE VIEW tops AS SELECT seq, ts, instrument, bid_price_1 AS bid, bid_size_1 AS bid_size, ask_price_1 AS ask,
     ask_size_1 AS ask_size FROM depth`,
  // The whole output as JSON: what a firing says depends on its metric.
  `CREATE TABLE alerts(seq BIGINT NOT NULL, ts BIGINT NOT NULL, id VARCHAR NOT NULL, rule VARCHAR NOT NULL, body VARCHAR NOT NULL)`,
]

function levels(side: string): string {
  const columns = Array.from({ length: 10 }, (_, i) => i + 1).flatMap((level) => [
    `${side}_price_${level} DOUBLE`,
    `${side}_size_${level} DOUBLE`,
  ])
  return columns.join(', ')
}
