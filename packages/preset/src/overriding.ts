/** Members to replace; undefined hides one. */
type Overrides<T> = { readonly [Name in keyof T]?: T[Name] | undefined };

/** Returns the object with some members replaced. The others run on the object itself, so that their private fields exist. */
export function overriding<T extends object, const M extends Overrides<T>>(
  object: T,
  members: M,
): T & { readonly [Name in keyof M as M[Name] extends undefined ? never : Name]: M[Name] } {
  const proxy = new Proxy(object, {
    has: (target, key) => (Object.hasOwn(members, key) ? Reflect.get(members, key) !== undefined : key in target),
    get(target, key) {
      if (Object.hasOwn(members, key)) return Reflect.get(members, key);
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
  return proxy as ReturnType<typeof overriding<T, M>>;
}
