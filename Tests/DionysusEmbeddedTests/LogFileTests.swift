import Dionysus
import DionysusEmbedded
import Foundation
import GRDB
import Testing

@Suite
struct LogFileTests {
    @Test
    func `Messages are there again when the log is opened again`() async throws {
        try await withLogPath { path in
            let first = try EmbeddedBroker(path: path)
            for result in try await first.makeProducer().send(messages(0..<10, for: "rentals")) { _ = try result.get() }
            await first.close()
            let second = try EmbeddedBroker(path: path)
            #expect(try numbers(await second.read(10, of: "rentals")) == Array(0..<10))
            await second.close()
        }
    }

    @Test
    func `A topic that is sent to before it exists is created with the default number of partitions`() async throws {
        try await withLogPath { path in
            let broker = try EmbeddedBroker(path: path, options: EmbeddedLogOptions(defaultPartitions: 3))
            let consumer = try await broker.makeConsumer(of: "rentals")
            for result in try await broker.makeProducer().send(messages(0..<1, for: "rentals")) { _ = try result.get() }
            #expect(
                try await broker.describeTopics(nil) == [TopicDescription(name: "rentals", partitions: 3)]
            )
            try await consumer.startAll(3)
            await broker.close()
        }
    }

    @Test
    func `A topic whose name Kafka would refuse is refused`() async throws {
        try await withLogPath { path in
            let broker = try EmbeddedBroker(path: path)
            let results = try await broker.makeProducer().send(messages(0..<1, for: "with space"))
            #expect(throws: DionysusError.self) { try results[0].get() }
            await #expect(throws: DionysusError.self) {
                try await broker.createTopics([TopicSpecification(name: "with/slash")])
            }
            await broker.close()
        }
    }

    @Test
    func `The positions that a group has told are shown`() async throws {
        try await withLogPath { path in
            let broker = try EmbeddedBroker(path: path)
            try await broker.createTopics([TopicSpecification(name: "rentals", partitions: 2)])
            let consumer = try await broker.makeConsumer(of: "rentals", group: "mirror")
            try await consumer.commit([TopicPartition("rentals", 1): 5])
            try await consumer.commit([TopicPartition("rentals", 1): 7])
            #expect(try await broker.committedOffsets(group: "mirror") == [TopicPartition("rentals", 1): 7])
            #expect(try await broker.committedOffsets(group: "nobody") == [:])
            await broker.close()
        }
    }

    @Test
    func `A file that is no database is refused and left as it is`() async throws {
        try await withLogPath { path in
            try FileManager.default.createDirectory(
                at: URL(fileURLWithPath: path).deletingLastPathComponent(),
                withIntermediateDirectories: true
            )
            let content = Data(repeating: UInt8(ascii: "x"), count: 5_000)
            try content.write(to: URL(fileURLWithPath: path))
            let error = #expect(throws: DionysusError.self) { try EmbeddedBroker(path: path) }
            #expect(error?.code == .malformed)
            #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == content)
        }
    }

    @Test
    func `Another application's database is refused and left as it is`() async throws {
        try await withLogPath { path in
            try FileManager.default.createDirectory(
                at: URL(fileURLWithPath: path).deletingLastPathComponent(),
                withIntermediateDirectories: true
            )
            let foreign = try DatabaseQueue(path: path)
            try await foreign.write { try $0.execute(sql: "CREATE TABLE accounts (id INTEGER PRIMARY KEY)") }
            let error = #expect(throws: DionysusError.self) { try EmbeddedBroker(path: path) }
            #expect(error?.code == .malformed)
            let tables = try await foreign.read { try String.fetchAll($0, sql: "SELECT name FROM sqlite_schema") }
            #expect(tables == ["accounts"])
            let journalMode = try await foreign.read { try String.fetchOne($0, sql: "PRAGMA journal_mode") }
            #expect(journalMode == "delete")
        }
    }

    @Test
    func `A log of a newer format is refused`() async throws {
        try await withLogPath { path in
            try await EmbeddedBroker(path: path).close()
            let newer = try DatabaseQueue(path: path)
            try await newer.writeWithoutTransaction { try $0.execute(sql: "PRAGMA user_version = 99") }
            let error = #expect(throws: DionysusError.self) { try EmbeddedBroker(path: path) }
            #expect(error?.code == .malformed)
        }
    }

    @Test
    func `A directory that can't be created is an error that names the path`() async throws {
        try await withLogPath { path in
            try await withLogPath { _ in
                try FileManager.default.createDirectory(
                    at: URL(fileURLWithPath: path).deletingLastPathComponent(),
                    withIntermediateDirectories: true
                )
                try Data().write(to: URL(fileURLWithPath: path))
                let error = #expect(throws: DionysusError.self) { try EmbeddedBroker(path: path + "/below/log.sqlite") }
                #expect(error?.code == .brokerUnavailable)
                #expect(error?.message.contains(path) == true)
            }
        }
    }

    @Test
    func `A log that another process keeps locked is an error that may pass`() async throws {
        try await withLogPath { path in
            let broker = try EmbeddedBroker(
                path: path,
                options: EmbeddedLogOptions(busyTimeout: .milliseconds(50))
            )
            let producer = try await broker.makeProducer()
            var configuration = Configuration()
            configuration.allowsUnsafeTransactions = true
            let locker = try DatabaseQueue(path: path, configuration: configuration)
            try locker.inDatabase { try $0.execute(sql: "BEGIN IMMEDIATE") }
            let refused = try #require(await producer.send(messages(0..<1, for: "rentals")).first)
            let error = #expect(throws: DionysusError.self) { try refused.get() }
            #expect(error?.code == .brokerUnavailable)
            #expect(error?.isRetriable == true)
            try locker.inDatabase { try $0.execute(sql: "ROLLBACK") }
            let taken = try #require(await producer.send(messages(0..<1, for: "rentals")).first)
            #expect(try taken.get() == Acknowledgement(partition: 0, offset: 0))
            await broker.close()
        }
    }

    @Test
    func `A log can be opened and read while another process keeps it locked`() async throws {
        try await withLogPath { path in
            let options = EmbeddedLogOptions(busyTimeout: .milliseconds(50))
            let first = try EmbeddedBroker(path: path, options: options)
            for result in try await first.makeProducer().send(messages(0..<1, for: "rentals")) { _ = try result.get() }
            var configuration = Configuration()
            configuration.allowsUnsafeTransactions = true
            let locker = try DatabaseQueue(path: path, configuration: configuration)
            try locker.inDatabase { try $0.execute(sql: "BEGIN IMMEDIATE") }
            let second = try EmbeddedBroker(path: path, options: options)
            #expect(try await second.describeTopics(nil).map(\.name) == ["rentals"])
            try locker.inDatabase { try $0.execute(sql: "ROLLBACK") }
            await second.close()
            await first.close()
        }
    }

    @Test
    func `Settings that the log doesn't know are named`() async throws {
        try await withLogPath { path in
            let broker = try EmbeddedBroker(path: path)
            let error = await #expect(throws: DionysusError.self) {
                try await broker.makeConsumer(of: "rentals", settings: ["auto.offset.reset": "error"])
            }
            #expect(error?.code == .configuration)
            #expect(error?.message.contains("auto.offset.reset") == true)
            await broker.close()
        }
    }

    @Test
    func `A closed log says so`() async throws {
        try await withLogPath { path in
            let broker = try EmbeddedBroker(path: path)
            let consumer = try await broker.makeConsumer(of: "rentals")
            await broker.close()
            let calls: [@Sendable () async throws -> Void] = [
                { _ = try await broker.makeProducer() },
                { _ = try await broker.describeTopics(nil) },
                { _ = try await consumer.next(maxMessages: 1, timeout: .seconds(60)) },
            ]
            for call in calls {
                let error = await #expect(throws: DionysusError.self) { try await call() }
                #expect(error?.code == .closed)
            }
        }
    }
}
