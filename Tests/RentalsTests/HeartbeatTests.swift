import Dionysus
import DionysusHealth
import Foundation
import TestSupport
import Testing

/// What a heartbeat file says, and what is concluded from it.
@Suite struct HeartbeatTests {
    @Test("a service that has never been started is neither live nor ready")
    func missing() async throws {
        try await withTemporaryDirectory { directory in
            for question in Health.Question.allCases {
                let report = Health(clientID: "shop", directory: directory).report(on: .relay, question)
                #expect(report.reason?.hasPrefix("there is no heartbeat at \(directory)") == true)
                #expect(!report.isHealthy && report.heartbeat == nil)
            }
        }
    }

    @Test("a service is live from its start to its end, and ready when it works and has no problem")
    func states() async throws {
        try await withTemporaryDirectory { directory in
            let heartbeat = try HeartbeatFile(.relay, clientID: "shop", directory: directory)
            let health = Health(clientID: "shop", directory: directory)
            func reasons() -> [String?] { Health.Question.allCases.map { health.report(on: .relay, $0).reason } }

            #expect(reasons() == [nil, "the relay is still starting"])
            heartbeat.record(VitalSign(.ready))
            #expect(reasons() == [nil, nil])
            heartbeat.record(VitalSign(.stopping, problem: "the broker is away"))
            #expect(reasons() == [nil, "the relay is shutting down: the broker is away"])
            heartbeat.record(VitalSign(.ready, problem: "the broker is away"))
            #expect(reasons() == [nil, "the broker is away"])
            heartbeat.record(VitalSign(.stopped, problem: "no outbox"))
            #expect(reasons() == ["the relay has stopped: no outbox", "the relay has stopped: no outbox"])
            #expect(!health.report(on: .consumer).isHealthy)
            #expect(!Health(clientID: "other", directory: directory).report(on: .relay).isHealthy)
        }
    }

    @Test("what is stuck keeps the time of its last progress, and says why")
    func stuck() async throws {
        try await withTemporaryDirectory { directory in
            let heartbeat = try HeartbeatFile(.relay, clientID: "shop", directory: directory)
            heartbeat.record(VitalSign(.ready))
            let health = Health(clientID: "shop", directory: directory)
            let before = try #require(health.report(on: .relay).heartbeat)
            heartbeat.record(VitalSign(.stopping, problem: "a batch hangs", madeProgress: false))
            let after = health.report(on: .relay, .live, maxAge: .zero)
            #expect(after.heartbeat?.time == before.time)
            #expect(
                after.reason?.hasPrefix("the relay's last heartbeat is 0 s old, more than 0 s: a batch hangs") == true
            )
        }
    }

    @Test("a process that is gone is neither live nor ready, however young its heartbeat")
    func gone() async throws {
        try await withTemporaryDirectory { directory in
            let process = try RunningProcess("true", [], environment: [:])
            _ = await process.result()
            let content = JSON.object([
                "pid": .integer(Int64(process.identifier)), "role": .string("consumer"),
                "time": .string(Timestamp.now.description), "state": .string("ready"), "reason": .null,
            ])
            try Data(content.bytes).write(to: URL(filePath: "\(directory)/consumer-shop.json"))
            for question in Health.Question.allCases {
                let report = Health(clientID: "shop", directory: directory).report(on: .consumer, question)
                #expect(report.reason?.contains("process \(process.identifier) is gone") == true)
            }
        }
    }

    @Test("what is no heartbeat is told to be none", arguments: ["", "{}", "not json", #"{"pid":-1,"role":"relay"}"#])
    func malformed(_ content: String) async throws {
        try await withTemporaryDirectory { directory in
            try Data(content.utf8).write(to: URL(filePath: "\(directory)/relay-shop.json"))
            let report = Health(clientID: "shop", directory: directory).report(on: .relay, .live)
            #expect(report.reason?.hasSuffix("is no heartbeat of a relay") == true)
        }
    }

    @Test("names of any kind make a file of the directory, and no other is touched")
    func names() async throws {
        try await withTemporaryDirectory { directory in
            for name in ["../../etc/shop", "a b", "straße", "%41"] {
                let heartbeat = try HeartbeatFile(.relay, clientID: name, directory: directory)
                heartbeat.record(VitalSign(.ready))
                #expect(Health(clientID: name, directory: directory).report(on: .relay).isHealthy)
            }
            #expect(try FileManager.default.contentsOfDirectory(atPath: directory).count == 4)
        }
    }

    @Test("a directory in which nothing can be written is an error that names the setting")
    func unwritable() {
        let error = #expect(throws: DionysusError.self) {
            try HeartbeatFile(.relay, clientID: "shop", directory: "/dev/null/heartbeats")
        }
        #expect(error?.code == .configuration)
        #expect(error?.description.contains("heartbeatDirectory") == true)
    }
}
