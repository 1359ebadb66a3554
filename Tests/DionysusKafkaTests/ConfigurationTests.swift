import Dionysus
import DionysusKafka
import Testing

@Suite("Kafka settings")
struct ConfigurationTests {
    @Test(arguments: ["no.such.setting", "linger.ms"])
    func `an unknown or invalid setting is named without its value`(name: String) throws {
        let error = try #require(throws: DionysusError.self) {
            _ = try KafkaBroker(bootstrapServers: "localhost:1", settings: [name: "se-cret"], logger: .silent)
        }
        #expect(error.code == .configuration)
        #expect(error.description.contains(name))
        #expect(!error.debugDescription.contains("se-cret"))
    }

    @Test func `a broker must be named`() throws {
        #expect(throws: DionysusError.self) { _ = try KafkaBroker(bootstrapServers: " ;", logger: .silent) }
    }

    @Test func `brokers are separated by commas or semicolons`() throws {
        let broker = try KafkaBroker(bootstrapServers: "a:1;b:2, c:3", logger: .silent)
        #expect(broker.location == "kafka://a:1,b:2,c:3")
    }

    @Test(arguments: [("acks", "1"), ("enable.idempotence", "false"), ("delivery.timeout.ms", "1")])
    func `settings can't override a producer's guarantees`(name: String, value: String) async throws {
        let broker = try KafkaBroker(bootstrapServers: "localhost:1", logger: .silent)
        await #expect {
            _ = try await broker.makeProducer(ProducerOptions(clientID: "test", settings: [name: value]))
        } throws: {
            ($0 as? DionysusError)?.code == .configuration && "\($0)".contains(name)
        }
    }

    @Test func `settings can't override a consumer's guarantees`() async throws {
        let broker = try KafkaBroker(
            bootstrapServers: "localhost:1",
            settings: ["enable.auto.commit": "true"],
            logger: .silent
        )
        await #expect {
            _ = try await broker.makeConsumer(ConsumerOptions(clientID: "test", groupID: "g", topics: ["t"]))
        } throws: {
            ($0 as? DionysusError)?.code == .configuration && "\($0)".contains("enable.auto.commit")
        }
    }

    @Test(arguments: [([], []), ([], ["^["])] as [([String], [String])])
    func `a subscription must name topics or a valid pattern`(topics: [String], patterns: [String]) async throws {
        let broker = try KafkaBroker(bootstrapServers: "localhost:1", logger: .silent)
        await #expect(throws: DionysusError.self) {
            _ = try await broker.makeConsumer(
                ConsumerOptions(clientID: "test", groupID: "g", topics: topics, topicPatterns: patterns)
            )
        }
    }
}
