import { jidDecode } from '@whiskeysockets/baileys'
import { type Account, type Addressing, addressingOf } from './account.js'

export interface Group {
  /** `<number>@g.us` */
  jid: string
  subject: string
  addressing: Addressing
  /** Phone numbers. */
  members: string[]
}

/** Everybody the server knows. */
export class Directory {
  readonly #accounts = new Map<string, Account>()
  readonly #groups = new Map<string, Group>()

  addAccount(account: Account): void {
    this.#accounts.set(account.id.pn, account)
  }

  removeAccount(pn: string): void {
    this.#accounts.delete(pn)
  }

  findAccount(pn: string): Account | undefined {
    return this.#accounts.get(pn)
  }

  account(pn: string): Account {
    const account = this.#accounts.get(pn)
    if (!account) throw new Error(`no account has paired as ${pn}`)
    return account
  }

  /** Finds by phone number or LID, with or without a device. */
  accountOf(jid: string): Account | undefined {
    const user = jidDecode(jid)?.user
    if (addressingOf(jid) === 'pn') return this.#accounts.get(user ?? '')
    return [...this.#accounts.values()].find(account => account.id.lid === user)
  }

  addGroup(group: Group): void {
    this.#groups.set(group.jid, group)
  }

  group(jid: string): Group {
    const group = this.#groups.get(jid)
    if (!group) throw new Error(`there is no group ${jid}`)
    return group
  }

  membersOf(group: Group): Account[] {
    return group.members.map(pn => this.account(pn))
  }
}
