import { monitorEventLoopDelay } from 'node:perf_hooks'
import { Family, Value } from './family.ts'

/** How often the event loop is timed, in milliseconds. */
const resolution = 20

/** What a process tells of itself, under the names that Prometheus's own clients give it. */
export interface ProcessMetrics {
  readonly families: readonly Family<Value>[]
  /** Reads the numbers as they are now. */
  refresh(): void
  close(): void
}

/** Begins to time the event loop, which does not keep the process alive. */
export function openProcessMetrics(): ProcessMetrics {
  const delay = monitorEventLoopDelay({ resolution })
  delay.enable()
  const memory = gauge('process_resident_memory_bytes', 'Resident memory size in bytes.')
  const cpu = new Family({
    name: 'process_cpu_seconds_total',
    help: 'Total user and system CPU time spent in seconds.',
    type: 'counter',
    make: () => new Value(),
  })
  const start = gauge('process_start_time_seconds', 'Start time of the process since unix epoch in seconds.')
  start.only.value = performance.timeOrigin / 1000
  const median = gauge('nodejs_eventloop_lag_p50_seconds', lagHelp('The median'))
  const high = gauge('nodejs_eventloop_lag_p99_seconds', lagHelp('The 99th percentile'))
  /** The time between two turns of its timer is what is measured: the lag is what it is longer than asked for. */
  const lag = (percentile: number): number =>
    delay.count === 0 ? 0 : Math.max(0, delay.percentile(percentile) / 1e9 - resolution / 1000)
  return {
    families: [memory, cpu, start, median, high],
    refresh() {
      memory.only.value = process.memoryUsage.rss()
      const { user, system } = process.cpuUsage()
      cpu.only.value = (user + system) / 1e6
      median.only.value = lag(50)
      high.only.value = lag(99)
      // Each reading tells of the time since the one before.
      delay.reset()
    },
    close: () => void delay.disable(),
  }
}

function gauge(name: string, help: string): Family<Value> {
  return new Family({ name, help, type: 'gauge', make: () => new Value() })
}

function lagHelp(which: string): string {
  return `${which} of how late the event loop was since the last reading, in seconds.`
}
