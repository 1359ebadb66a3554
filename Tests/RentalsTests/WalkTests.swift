import Foundation
import TestSupport
import Testing

/// The guide to working without code.
struct WalkTests {
    @Test("every command of the guide runs, in their order")
    func walk() async throws {
        let page = URL(filePath: #filePath).appending(path: "../../../docs/without-code.md").standardized
        let parts = try String(contentsOf: page, encoding: .utf8).components(separatedBy: "```")
        let script = parts.filter { $0.hasPrefix("sh\n") }.map { $0.dropFirst(3) }.joined()
        #expect(script.contains("dionysus init"))
        try await withTemporaryDirectory { directory in
            let programs = Installation.executable(named: "dionysus").deletingLastPathComponent().path
            let result = try await RunningProcess(
                "bash",
                ["-euo", "pipefail", "-c", "cd '\(directory)'; PATH='\(programs)':$PATH; \(script)"],
                environment: [:]
            )
            .result()
            #expect(result.status == 0, "\(result.errors)\(result.output)")
            #expect(result.output.contains("1|paid|Anna|59.7"))
        }
    }
}
