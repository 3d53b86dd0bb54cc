import { readFileSync } from 'node:fs'
import ts from 'typescript'

export interface Import {
  specifier: string
  isDynamic: boolean
  isTypeOnly: boolean
}

/** What a source or built file imports or re-exports, by `import`, `export … from` and `import()`. */
export function findImports(path: string): Import[] {
  const file = ts.createSourceFile(path, readFileSync(path, 'utf8'), ts.ScriptTarget.Latest, true)
  const found: Import[] = []
  const add = (specifier: ts.Node | undefined, isDynamic: boolean, isTypeOnly: boolean): void => {
    if (specifier && ts.isStringLiteral(specifier))
      found.push({ specifier: specifier.text, isDynamic, isTypeOnly })
  }
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node)) add(node.moduleSpecifier, false, node.importClause?.isTypeOnly === true)
    else if (ts.isExportDeclaration(node)) add(node.moduleSpecifier, false, node.isTypeOnly)
    else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      add(node.arguments[0], true, false)
    }
    ts.forEachChild(node, visit)
  }
  visit(file)
  return found
}
