// `npm run golden -- DIR`: runs every case of a folder of reference numbers through the product's own estimators.
import { fileURLToPath } from 'node:url'
import { type Answer, type Case, type Folder, judge, readFolder } from './golden/cases.ts'
import { ESTIMATORS } from './golden/estimators.ts'

interface Group {
  passed: number
  failed: number
  worst: number
  worstCase: string
  readonly failures: string[]
  readonly notes: string[]
}

function answerOf(folder: Folder, one: Case): Answer {
  const run = ESTIMATORS[one.estimator]
  if (!run) throw new Error(`no estimator ${one.estimator}`)
  return run(folder.inputs(one), one.options, one.expect)
}

function runAll(folder: Folder): Map<string, Group> {
  const groups = new Map<string, Group>()
  for (const one of folder.cases) {
    const group = groups.get(one.group) ?? { passed: 0, failed: 0, worst: 0, worstCase: '', failures: [], notes: [] }
    groups.set(one.group, group)
    try {
      const answer = answerOf(folder, one)
      const { passed, worst, wrong } = judge(one, answer)
      if (typeof answer.note === 'string') group.notes.push(`${one.id}: ${answer.note}`)
      if (worst >= group.worst) {
        group.worst = worst
        group.worstCase = one.id
      }
      if (passed) group.passed++
      else {
        group.failed++
        group.failures.push(`${one.id}: ${wrong.join('; ')}`)
      }
    } catch (error) {
      group.failed++
      group.failures.push(`${one.id}: ${error instanceof Error ? error.message : String(error)}`)
    }
  }
  return groups
}

function main(directory: string): number {
  let folder: Folder
  try {
    folder = readFolder(directory)
  } catch (error) {
    console.error(`No golden folder: ${error instanceof Error ? error.message : String(error)}`)
    return 2
  }
  let [passed, failed] = [0, 0]
  for (const [name, group] of runAll(folder)) {
    passed += group.passed
    failed += group.failed
    const worst = Number.isFinite(group.worst)
      ? `${(group.worst * 100).toPrecision(2)} % of its tolerance`
      : 'beyond any tolerance'
    console.log(
      `${name.padEnd(10)} ${group.passed} passed, ${group.failed} failed, worst error ${worst} (${group.worstCase})`,
    )
    for (const note of group.notes) console.log(`  note ${note}`)
    for (const failure of group.failures) console.log(`  FAILED ${failure}`)
  }
  console.log(`${passed} passed, ${failed} failed`)
  return failed > 0 ? 1 : 0
}

const standard = fileURLToPath(new URL('../../shared/golden/public', import.meta.url))
process.exitCode = main(process.argv[2] ?? standard)
