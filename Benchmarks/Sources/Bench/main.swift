import DionysusEmbedded
import Foundation

let directory = NSTemporaryDirectory() + "/bench-" + UUID().uuidString
let broker = try EmbeddedBroker(path: directory + "/log.sqlite")
for _ in 0..<3 {
    let result = try await RelayBenchmark(records: 50_000, broker: broker).run()
    print("relay \(Int(result.records))/s, floor \(Int(result.floor))/s")
}
await broker.close()
try FileManager.default.removeItem(atPath: directory)
