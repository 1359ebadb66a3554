import Dionysus
import DionysusEmbedded
import Foundation

/// A helper process for tests with several processes on one log.
///
///     EmbeddedLogTool append PATH TOPIC     appends batches of 100 forever, prints the numbers of each acknowledged batch
///     EmbeddedLogTool consume PATH TOPIC GROUP TIMEOUT_MS
///                                           reads as a group member, prints its partitions and messages
@main
struct EmbeddedLogTool {
    static func main() async throws {
        let arguments = CommandLine.arguments.dropFirst()
        switch (arguments.first, Array(arguments.dropFirst())) {
        case ("append", let rest) where rest.count == 2: try await append(path: rest[0], topic: rest[1])
        case ("consume", let rest) where rest.count == 4:
            try await consume(path: rest[0], topic: rest[1], group: rest[2], timeout: rest[3])
        default: throw DionysusError(.configuration, "usage: append PATH TOPIC | consume PATH TOPIC GROUP TIMEOUT_MS")
        }
    }

    private static func append(path: String, topic: String) async throws {
        let producer = try await EmbeddedBroker(path: path).makeProducer(ProducerOptions(clientID: "tool"))
        var number = 0
        while true {
            let batch = (number..<number + 100)
                .map { number in
                    OutgoingMessage(
                        topic: topic,
                        destination: .partition(0),
                        key: nil,
                        value: Array("\(number)".utf8),
                        headers: [MessageHeader("process", Array("\(ProcessInfo.processInfo.processIdentifier)".utf8))]
                    )
                }
            for result in await producer.send(batch) { _ = try result.get() }
            number += 100
            say("acknowledged \(number)")
        }
    }

    private static func consume(path: String, topic: String, group: String, timeout: String) async throws {
        let consumer = try await EmbeddedBroker(path: path)
            .makeConsumer(
                ConsumerOptions(
                    clientID: "tool",
                    groupID: group,
                    topics: [topic],
                    settings: ["session.timeout.ms": timeout]
                )
            )
        while true {
            switch try await consumer.next(maxMessages: 100, timeout: .seconds(60)) {
            case .assigned(let partitions):
                try await consumer.start(Dictionary(uniqueKeysWithValues: partitions.map { ($0, .earliest) }))
                say("assigned \(partitions.map { "\($0.partition)" }.joined(separator: " "))")
            case .revoked(let partitions):
                try await consumer.release(partitions)
                say("released \(partitions.map { "\($0.partition)" }.joined(separator: " "))")
            case .lost(let partitions):
                say("lost \(partitions.map { "\($0.partition)" }.joined(separator: " "))")
            case .messages(let messages): say("read \(messages.count)")
            case .reached: continue
            case .outOfRange(let partition, _): say("stranded \(partition.partition)")
            case nil: return
            }
        }
    }

    private static func say(_ line: String) {
        FileHandle.standardOutput.write(Data("\(line)\n".utf8))
    }
}
