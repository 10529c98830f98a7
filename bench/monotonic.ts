/** Microseconds on the system's monotonic clock, which all processes of a machine share. */
export function monotonicMicros(): number {
  return Number(process.hrtime.bigint()) / 1000
}
