from sluice.risk.v1 import alerts_pb2 as _alerts_pb2
from sluice.risk.v1 import anomalies_pb2 as _anomalies_pb2
from sluice.risk.v1 import dashboards_pb2 as _dashboards_pb2
from sluice.risk.v1 import data_pb2 as _data_pb2
from sluice.risk.v1 import model_versions_pb2 as _model_versions_pb2
from sluice.risk.v1 import pricing_pb2 as _pricing_pb2
from sluice.risk.v1 import query_pb2 as _query_pb2
from sluice.risk.v1 import ratings_pb2 as _ratings_pb2
from sluice.risk.v1 import semantic_model_pb2 as _semantic_model_pb2
from google.protobuf import descriptor as _descriptor
from typing import ClassVar as _ClassVar

DESCRIPTOR: _descriptor.FileDescriptor
