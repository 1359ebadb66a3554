import Dionysus
import DionysusFile
import Foundation
import Testing

/// What is said about the file is what the parser reads.
struct FilePageTests {
    @Test func `the reference page has the generated tables; script/docs updates them`() throws {
        let page = URL(filePath: #filePath).appending(path: "../../../docs/file-reference.md").standardized
        #expect(try String(contentsOf: page, encoding: .utf8).contains("\n\n\(FileReference.markdown)\n\n<!--"))
    }

    @Test func `the JSON Schema names every key of the complete file`() throws {
        let schema = try JSON(parsing: Array(FileSchema.text.utf8))
        let topic = schema["properties"]?["namespaces"]
        #expect(topic != nil)
        for key in ["partition_key", "dead_letter", "foreign_key", "publish_after_soft_delete", "batch_size", "sql"] {
            #expect(FileSchema.text.contains("\"\(key)\""))
        }
        #expect(schema["additionalProperties"] == .bool(false))
        #expect(schema["required"] == .array([.string("dionysus")]))
    }
}
