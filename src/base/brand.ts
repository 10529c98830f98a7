declare const brand: unique symbol

/**
 * A nominal flavour of `T`: a plain `T` may become one without a cast, two different flavours never mix.
 */
export type Flavour<T, Name extends string> = T & { readonly [brand]?: Name }
