import { createHash } from 'node:crypto'
import { lauxlib, lua, lualib, to_luastring } from 'fengari'
import type { RedisReply } from './redis-memory.js'
import { StandInError } from './stand-in-error.js'

type Call = (name: string, ...input: string[]) => RedisReply
export type RunLua = (keys: readonly string[], argv: readonly string[], call: Call) => RedisReply

/** Redis runs Lua 5.1; this is 5.3, in which `unpack` lies elsewhere. */
const PRELUDE = `
unpack = table.unpack
redis = { call = function(...) return __call(...) end, sha1hex = __sha1hex }
redis.pcall = redis.call
`

/** Runs the library's scripts as Redis does. Strings hold one byte a character. */
export class LuaMachine {
  readonly #L = lauxlib.luaL_newstate()
  #call: Call = () => null

  constructor() {
    lualib.luaL_openlibs(this.#L)
    lua.lua_pushcfunction(this.#L, L => {
      const input = Array.from({ length: lua.lua_gettop(L) }, (_, i) => this.#read(i + 1) as string)
      this.#push(this.#call(...(input.map(String) as [string, ...string[]])), true)
      return 1
    })
    lua.lua_setglobal(this.#L, to_luastring('__call'))
    lua.lua_pushcfunction(this.#L, L => {
      const digest = createHash('sha1').update(lua.lua_tostring(L, 1)).digest('hex')
      lua.lua_pushstring(L, to_luastring(digest))
      return 1
    })
    lua.lua_setglobal(this.#L, to_luastring('__sha1hex'))
    this.#load(PRELUDE)
    lua.lua_call(this.#L, 0, 0)
  }

  compile(source: string): RunLua {
    this.#load(source)
    const reference = lauxlib.luaL_ref(this.#L, lua.LUA_REGISTRYINDEX)
    return (keys, argv, call) => {
      this.#call = call
      this.#pushStrings('KEYS', keys)
      this.#pushStrings('ARGV', argv)
      lua.lua_rawgeti(this.#L, lua.LUA_REGISTRYINDEX, reference)
      if (lua.lua_pcall(this.#L, 0, 1, 0) !== lua.LUA_OK) {
        throw new StandInError(`Lua: ${String(this.#read(-1))}`)
      }
      const reply = this.#read(-1)
      lua.lua_settop(this.#L, 0)
      return reply
    }
  }

  #load(source: string): void {
    if (lauxlib.luaL_loadstring(this.#L, to_luastring(source)) !== lua.LUA_OK) {
      throw new Error(`Lua: ${lua.lua_tojsstring(this.#L, -1)}`)
    }
  }

  #pushStrings(name: string, strings: readonly string[]): void {
    lua.lua_createtable(this.#L, strings.length, 0)
    for (const [i, text] of strings.entries()) {
      lua.lua_pushstring(this.#L, toBytes(text))
      lua.lua_rawseti(this.#L, -2, i + 1)
    }
    lua.lua_setglobal(this.#L, to_luastring(name))
  }

  /** What Redis gives to Lua: nothing is `false`. */
  #push(reply: RedisReply, isOutermost = false): void {
    if (reply === null) lua.lua_pushboolean(this.#L, false)
    else if (typeof reply === 'number') lua.lua_pushinteger(this.#L, reply)
    else if (Array.isArray(reply)) {
      lua.lua_createtable(this.#L, reply.length, 0)
      for (const [i, element] of reply.entries()) {
        this.#push(element)
        lua.lua_rawseti(this.#L, -2, i + 1)
      }
    } else if (typeof reply === 'string' && isOutermost && reply === 'OK') {
      lua.lua_createtable(this.#L, 0, 1)
      lua.lua_pushstring(this.#L, toBytes(reply))
      lua.lua_setfield(this.#L, -2, to_luastring('ok'))
    } else lua.lua_pushstring(this.#L, typeof reply === 'string' ? toBytes(reply) : reply)
  }

  /** What Redis makes of Lua's values: numbers are cut to integers, a list ends at the first `nil`. */
  #read(index: number): RedisReply {
    const L = this.#L
    switch (lua.lua_type(L, index)) {
      case lua.LUA_TNUMBER:
        return Math.trunc(lua.lua_tonumber(L, index))
      case lua.LUA_TSTRING:
        return Buffer.from(lua.lua_tostring(L, index) as Uint8Array).toString('latin1')
      case lua.LUA_TBOOLEAN:
        return lua.lua_toboolean(L, index) ? 1 : null
      case lua.LUA_TTABLE: {
        const list: RedisReply[] = []
        const table = lua.lua_absindex(L, index)
        for (let i = 1; ; i++) {
          const type = lua.lua_rawgeti(L, table, i)
          if (type === lua.LUA_TNIL) break
          list.push(this.#read(-1))
          lua.lua_pop(L, 1)
        }
        lua.lua_pop(L, 1)
        return list
      }
      default:
        return null
    }
  }
}

function toBytes(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text, 'latin1'))
}
