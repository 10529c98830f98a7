/** Digits after the point that a step needs: 0.01 → 2, 1e-8 → 8, 5 → 0. */
export function decimalsOf(step: number): number {
  const [digits, exponent = '0'] = String(step).split('e')
  return Math.max(0, (digits.split('.')[1]?.length ?? 0) - Number(exponent))
}

/** A number as the venue writes it: with the digits of its step, or with more where it lies between two steps. Never with an exponent. */
export function decimalText(value: number, decimals: number): string {
  const text = value.toFixed(decimals)
  return Number(text) === value ? text : value.toFixed(Math.min(100, decimalsOf(value)))
}
