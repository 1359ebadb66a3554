import CoreMetrics
import DionysusMetrics
import Foundation
import Synchronization

/// Measures what it costs to record metrics: how long a thread takes for one, alone and with others at the same series.
///
///     swift run -c release MetricsBench
@main
struct MetricsBench {
    private static let count = 5_000_000

    static func main() {
        let metrics = MetricCollector()
        let counter = Counter(label: "counter", factory: metrics)
        let timer = Timer(label: "timer", factory: metrics)
        let recorder = Recorder(label: "recorder", factory: metrics)
        let gauge = Gauge(label: "gauge", factory: metrics)
        let idle = Timer(label: "none", factory: NOOPMetricsHandler.instance)
        print("| nanoseconds for one | 1 thread | 2 threads | 4 threads |\n|---|---|---|---|")
        measure("timer where nobody collects") { idle.recordNanoseconds(Int64($0)) }
        measure("counter") { _ in counter.increment() }
        measure("gauge") { gauge.record($0) }
        measure("timer") { timer.recordNanoseconds(Int64($0 & 0xFFFFF)) }
        measure("recorder") { recorder.record(Double($0 & 0xFFF)) }
        scrape()
    }

    /// The best of five, of which each is the processor's time of all threads by what they have done.
    private static func measure(_ name: String, _ body: @escaping @Sendable (Int) -> Void) {
        let times = [1, 2, 4]
            .map { threads in
                (0..<5).map { _ in run(threads, body) }.min() ?? 0
            }
        print("| \(name) | \(times.map { String(format: "%.1f", $0) }.joined(separator: " | ")) |")
    }

    private static func run(_ threads: Int, _ body: @escaping @Sendable (Int) -> Void) -> Double {
        let start = processorTime()
        DispatchQueue.concurrentPerform(iterations: threads) { _ in
            for number in 0..<count { body(number) }
        }
        return (processorTime() - start) * 1e9 / Double(count * threads)
    }

    private static func scrape() {
        let metrics = MetricCollector()
        for number in 0..<1_000 {
            Timer(label: "timer", dimensions: [("of", "\(number)")], factory: metrics).recordNanoseconds(5)
        }
        let start = processorTime()
        let size = metrics.exposition().body.utf8.count
        print(String(format: "\nscraping 1,000 timers: %.1f ms, %d bytes", (processorTime() - start) * 1e3, size))
    }

    private static func processorTime() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }
}
