/** Lua 5.3's C interface; of it, what lua.ts calls. */
declare module 'fengari' {
  type State = object
  type Bytes = Uint8Array
  export function to_luastring(text: string): Bytes
  export const lualib: { luaL_openlibs(L: State): void }
  export const lauxlib: {
    luaL_newstate(): State
    luaL_loadstring(L: State, source: Bytes): number
    luaL_ref(L: State, table: number): number
  }
  export const lua: {
    LUA_OK: number
    LUA_REGISTRYINDEX: number
    LUA_TNIL: number
    LUA_TNUMBER: number
    LUA_TSTRING: number
    LUA_TBOOLEAN: number
    LUA_TTABLE: number
    lua_absindex(L: State, index: number): number
    lua_call(L: State, inputs: number, outputs: number): void
    lua_createtable(L: State, elements: number, fields: number): void
    lua_gettop(L: State): number
    lua_pcall(L: State, inputs: number, outputs: number, handler: number): number
    lua_pop(L: State, count: number): void
    lua_pushboolean(L: State, value: boolean): void
    lua_pushcfunction(L: State, run: (L: State) => number): void
    lua_pushinteger(L: State, value: number): void
    lua_pushstring(L: State, value: Bytes): void
    lua_rawgeti(L: State, index: number, key: number): number
    lua_rawseti(L: State, index: number, key: number): void
    lua_setfield(L: State, index: number, name: Bytes): void
    lua_setglobal(L: State, name: Bytes): void
    lua_settop(L: State, index: number): void
    lua_toboolean(L: State, index: number): boolean
    lua_tojsstring(L: State, index: number): string
    lua_tonumber(L: State, index: number): number
    lua_tostring(L: State, index: number): Bytes
    lua_type(L: State, index: number): number
  }
}
