import Dionysus
import DionysusEmbedded
import Foundation
import Testing

@Suite(.timeLimit(.minutes(10)))
struct ProcessTests {
    @Test
    func `Processes that create a log at once all append, and SIGKILL neither tears a batch nor loses one`()
        async throws
    {
        try await withLogPath { path in
            let appenders = try (0..<4).map { _ in try ToolProcess("append", path, "rentals") }
            var acknowledged: [Int32: Int] = [:]
            for appender in appenders {
                let first = try #require(await appender.numbers("acknowledged"))
                acknowledged[appender.identifier] = first[0]
            }
            for appender in appenders { appender.end() }

            let broker = try EmbeddedBroker(path: path)
            let partition = TopicPartition("rentals", 0)
            let range = try #require(try await broker.offsets(of: [partition])[partition])
            let read = try await broker.read(Int(range.next), of: "rentals")
            #expect(read.map(\.offset) == Array(0..<range.next))
            let byProcess = Dictionary(grouping: read) { message in
                Int32(String(decoding: message.headers[0].value, as: UTF8.self))
            }
            for (process, count) in acknowledged {
                let numbers = try numbers(byProcess[process] ?? [])
                #expect(numbers.count >= count)
                #expect(numbers.count.isMultiple(of: 100))
                #expect(numbers == Array(0..<numbers.count))
            }
            await broker.close()
        }
    }

    @Test
    func `What another process appends wakes a waiting consumer`() async throws {
        try await withLogPath { path in
            let broker = try EmbeddedBroker(path: path)
            try await broker.createTopics([TopicSpecification(name: "rentals", partitions: 1)])
            let consumer = try await broker.makeConsumer(of: "rentals")
            try await consumer.startAll(1)
            async let event = consumer.next(maxMessages: 10, timeout: .seconds(60))
            let appender = try ToolProcess("append", path, "rentals")
            guard case .messages(let messages) = try await event else {
                Issue.record("there were no messages")
                return
            }
            #expect(messages.first?.offset == 0)
            appender.end()
            await broker.close()
        }
    }

    @Test
    func `Two processes share the partitions of a group`() async throws {
        try await withLogPath { path in
            let broker = try EmbeddedBroker(path: path)
            try await broker.createTopics([TopicSpecification(name: "rentals", partitions: 4)])
            let other = try ToolProcess("consume", path, "rentals", "group", "10000")
            #expect(try #require(await other.numbers("assigned")) == [0, 1, 2, 3])
            let consumer = try await broker.makeConsumer(of: "rentals")
            try await consumer.startAll(2)
            #expect(try #require(await other.numbers("released")).count == 2)
            await consumer.close()
            #expect(try #require(await other.numbers("assigned")).count == 2)
            other.end()
            await broker.close()
        }
    }

    @Test
    func `The partitions of a process that was killed go to another when its lease ends`() async throws {
        try await withLogPath { path in
            let broker = try EmbeddedBroker(path: path)
            try await broker.createTopics([TopicSpecification(name: "rentals", partitions: 4)])
            let other = try ToolProcess("consume", path, "rentals", "group", "1000")
            #expect(try #require(await other.numbers("assigned")).count == 4)
            other.end()
            let consumer = try await broker.makeConsumer(of: "rentals", settings: ["session.timeout.ms": "3000"])
            try await consumer.startAll(4)
            await broker.close()
        }
    }

    @Test
    func `A process that slept through its lease learns what it has lost`() async throws {
        try await withLogPath { path in
            let broker = try EmbeddedBroker(path: path)
            try await broker.createTopics([TopicSpecification(name: "rentals", partitions: 2)])
            let other = try ToolProcess("consume", path, "rentals", "group", "1000")
            #expect(try #require(await other.numbers("assigned")) == [0, 1])
            other.signal(SIGSTOP)
            let consumer = try await broker.makeConsumer(of: "rentals", settings: ["session.timeout.ms": "3000"])
            try await consumer.startAll(2)
            other.signal(SIGCONT)
            #expect(try #require(await other.numbers("lost")) == [0, 1])
            await consumer.close()
            #expect(try #require(await other.numbers("assigned")).isEmpty == false)
            other.end()
            await broker.close()
        }
    }
}
