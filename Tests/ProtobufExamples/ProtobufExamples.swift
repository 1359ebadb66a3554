package import DionysusProtobuf
import Foundation
package import SwiftProtobuf

/// The descriptions of the messages in `feed/v1`, as `protoc` wrote them.
///
/// Code and descriptions are written anew with `protoc -I. --swift_out=Visibility=Package,UseAccessLevelOnImports=true:. --include_imports
/// --descriptor_set_out=rental.desc feed/v1/*.proto`.
package enum ProtobufExamples {
    /// A message that holds any object.
    package typealias AnyObject = Google_Protobuf_Struct

    package static var files: ProtobufFiles {
        get throws { try ProtobufFiles(parsing: descriptions) }
    }

    private static var descriptions: Data {
        get throws {
            guard let file = Bundle.module.url(forResource: "rental", withExtension: "desc") else {
                throw CocoaError(.fileNoSuchFile)
            }
            return try Data(contentsOf: file)
        }
    }
}
