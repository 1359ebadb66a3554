import Dionysus
import DionysusKafkaTesting
import Logging
import TestSupport
import Testing

@Suite("An outage in the log", .timeLimit(.minutes(10)))
struct OutageLogTests {
    @Test func `an outage is one warning when it begins and one line when it ends`() async throws {
        let lines = Collected<(level: Logger.Level, text: String)>()
        let logger = Logger(label: "test") { _ in CollectingLogHandler(lines: lines) }
        let fixture = try Fixture(logger: logger)
        let producer = try await fixture.producer(timeout: .seconds(1))
        _ = await producer.send([.numbered(0)])
        for _ in 0..<2 {
            try fixture.cluster.stopBroker(1)
            // Each attempt fails, and librdkafka keeps reconnecting.
            for number in 1...4 { _ = await producer.send([.numbered(number)]) }
            try fixture.cluster.startBroker(1)
            while !Task.isCancelled, await producer.send([.numbered(9)]).first?.code != nil { await Task.yield() }
        }
        await fixture.end()
        let told = lines.all.filter { $0.level > .info }
        #expect(told.map(\.level) == [.warning, .notice, .warning, .notice], "\(told.map(\.text))")
        #expect(told.first?.text.contains("can be reached") == true)
    }
}

struct CollectingLogHandler: LogHandler {
    let lines: Collected<(level: Logger.Level, text: String)>
    var logLevel = Logger.Level.trace
    var metadata = Logger.Metadata()

    init(lines: Collected<(level: Logger.Level, text: String)>) { self.lines = lines }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) { lines.add((event.level, event.message.description)) }
}
